"""A loss that is not finite: an overflow is left for a safer precision, a broken image ends the run by name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mammoscope.data.batches import to_inputs
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.train import train
from mammoscope.tracking.store import open_store
from mammoscope.training import loop


def opened(config):
    return open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))


@pytest.fixture
def plant(monkeypatch):
    """Changes the training's inputs at one step (from 0) of all; a replay of its batch meets the same change."""

    def plant(step: int, change) -> None:
        marked: list[torch.Tensor] = []
        calls = 0

        def changed(images, device):
            nonlocal calls
            inputs = to_inputs(images, device)
            if torch.is_inference_mode_enabled():  # validation
                return inputs
            if calls == step:
                marked.append(images.clone())
            calls += 1
            return change(inputs) if marked and torch.equal(images, marked[0]) else inputs

        monkeypatch.setattr(loop, "to_inputs", changed)

    return plant


def too_bright(inputs: torch.Tensor) -> torch.Tensor:
    return inputs * 1e6  # within the range of bf16 and fp32, and far beyond fp16's 65504


def with_a_nan(inputs: torch.Tensor) -> torch.Tensor:
    inputs[0, 0, 3, 3] = float("nan")
    return inputs


def test_what_overflows_in_fp16_goes_on_in_bf16(configure, plant, capsys):
    plant(4, too_bright)
    config = configure("trainer.precision=fp16", "trainer.epochs=3", "tracking.register=never")
    run_id = train(config)
    told = capsys.readouterr().out
    assert "in fp16, and finite in fp32: the last good state goes on in bf16" in told
    store = opened(config)
    run = store.find_run(run_id)
    assert run.status == "FINISHED"
    assert run.tags["precision"] == "bf16"
    assert run.tags["fell_back.from_fp16"] == "to bf16, for epoch 3, step 1"
    assert "bf16" in run.description
    history = store.client.get_metric_history(run_id, "epoch/train/loss")
    assert [point.step for point in history] == [0, 1, 2]


def test_a_broken_image_ends_the_run_and_is_named(configure, plant):
    plant(4, with_a_nan)
    config = configure("trainer.precision=bf16", "trainer.epochs=3")
    with pytest.raises(MammoscopeError, match=r"the loss is nan in epoch 3, step 1, in fp32 .* as well.*P_0") as error:
        train(config)
    store = opened(config)
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.status == "FAILED"
    kept = load_file(store.artifact(run.info.run_id, "not_finite/batch.safetensors"))
    assert len(kept["images"]) == len(kept["targets"]) == len(kept["indices"]) > 1
    assert kept["images"].dtype is torch.uint16
    assert str(error.value).count("P_0") == len(kept["indices"])


@pytest.mark.slow
def test_a_trial_does_not_fall_back(configure, plant):
    plant(1, too_bright)
    config = configure("trainer.precision=fp16", "trainer.fall_back=false")
    with pytest.raises(MammoscopeError, match=r"epoch 1, step 2 \(fp16\), and trainer\.fall_back=false"):
        train(config)


@pytest.mark.slow
def test_weights_that_run_away_in_fp32_are_told_from_a_broken_image(configure):
    config = configure(
        "trainer.clip_norm=null",
        "optimizer.name=sgd",
        "optimizer.lr=100",
        "schedule.warmup_epochs=0",
        "trainer.epochs=20",
    )
    with pytest.raises(MammoscopeError, match=r"the weights have run away; try a lower optimizer\.lr"):
        train(config)


@pytest.mark.slow
def test_gone_on_with_it_stays_in_the_safer_precision(configure, plant, capsys, monkeypatch):
    from mammoscope.jobs import fit

    plant(4, too_bright)
    config = configure("trainer.precision=fp16", "trainer.epochs=3", "tracking.register=never", "resume=auto")
    whole = fit._log_epoch

    def dying(tracker, epoch, aucs):
        if epoch.number == 2:
            raise KeyboardInterrupt
        whole(tracker, epoch, aucs)

    monkeypatch.setattr(fit, "_log_epoch", dying)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    monkeypatch.setattr(fit, "_log_epoch", whole)
    capsys.readouterr()
    run_id = train(config)
    assert opened(config).find_run(run_id).tags["precision"] == "bf16"
    assert "fp32" not in capsys.readouterr().out  # no second fall
