import os
import subprocess
import sys

import pytest
import torch

from mammoscope.compose import compose_config
from mammoscope.training import determinism
from mammoscope.training.determinism import Repeats, find_determinism, settle_determinism
from mammoscope.training.processes import Share

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def as_before():
    yield
    settle_determinism(False)


def test_a_cpu_repeats_to_the_last_bit_whatever_augments():
    for words in ([], ["trainer.workers=4"], ["trainer.precision=bf16"]):
        found = find_determinism(compose_config(words), CPU)
        assert found.repeats is Repeats.bit_equal
        assert found.reasons == (
            f"on this CPU: {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads",
        )


def test_a_gpu_does_so_where_it_is_told_to(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    config = compose_config([])
    assert "trainer.deterministic=true forbids them" in find_determinism(config, CUDA).tags()["determinism.reasons"]
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert len(find_determinism(config, CUDA).reasons) == 2
    settle_determinism(True)
    assert find_determinism(config, CUDA).tags() == {
        "determinism": "bit-equal",
        "determinism.reasons": "on this GPU: a GPU",
    }
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    settle_determinism(False)
    assert not torch.are_deterministic_algorithms_enabled()


def test_compiled_and_shared_trainings_are_not_promised(monkeypatch):
    config = compose_config([])
    config.model.compile = True
    monkeypatch.setattr(determinism, "share", lambda: Share(0, 2))
    found = find_determinism(config, CPU)
    assert found.repeats is Repeats.tolerance
    assert [reason.split(":")[0] for reason in found.reasons] == ["model.compile", "2 processes"]


def test_settling_starts_no_cuda():
    code = "import torch, mammoscope.training.determinism as d; d.settle_determinism(True); "
    code += "assert not torch.cuda.is_initialized()"
    subprocess.run([sys.executable, "-c", code], check=True)
