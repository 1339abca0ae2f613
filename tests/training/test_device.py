import pytest
import torch

from mammoscope.config import TrainerConfig
from mammoscope.errors import MammoscopeError
from mammoscope.training.device import build_fabric, find_device, find_precision, find_workers
from mammoscope.vocabulary import Precision


def a_trainer(**changes: object) -> TrainerConfig:
    settings = {
        "epochs": 1,
        "batch_size": 2,
        "precision": Precision.auto,
        "device": "auto",
        "clip_norm": None,
        "patience_epochs": None,
        "channels_last": True,
    }
    return TrainerConfig(**(settings | changes))


CPU = torch.device("cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "cpu:1"])
def test_a_device_that_is_not_there_is_refused(device: str):
    with pytest.raises(MammoscopeError, match=rf"trainer\.device={device}: .*allowed: auto, cpu"):
        find_device(a_trainer(device=device))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(MammoscopeError, match=r"trainer\.device=cuda: not on this machine"):
        find_device(a_trainer(device="cuda"))


def test_a_cpu_computes_in_fp32_unless_told_otherwise():
    assert find_precision(a_trainer(), CPU) is Precision.fp32
    assert find_precision(a_trainer(precision=Precision.bf16), CPU) is Precision.bf16


def test_bf16_is_mixed_precision():
    fabric = build_fabric(CPU, Precision.bf16)
    network = fabric.setup(torch.nn.Linear(4, 2))
    assert next(network.parameters()).dtype is torch.float32
    with fabric.autocast():
        assert torch.nn.functional.linear(torch.ones(1, 4), network.weight).dtype is torch.bfloat16


def test_loader_processes_stay_off_the_training_cores_of_a_cpu():
    assert find_workers(a_trainer(), CPU) == 0
    assert find_workers(a_trainer(workers=3), CPU) == 3
    assert find_workers(a_trainer(), torch.device("cuda")) >= 1
