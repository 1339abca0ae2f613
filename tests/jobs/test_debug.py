"""debug=one_batch and debug=lr_range, on a phantom: what they find, and that they leave no run behind."""

import csv
from pathlib import Path

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.jobs.menu import run
from mammoscope.jobs.one_batch import one_batch
from mammoscope.jobs.rehearsal import rehearse

LITE = ["model.backbone=tf_efficientnet_lite0"]


def no_run_was_tracked(config) -> bool:
    return (
        not (Path(config.tracking.home) / "mlflow.db").exists() and not (Path(config.tracking.home) / "runs").exists()
    )


@pytest.mark.parametrize("more", [[], ["loss=focal", "data=all", "target=pathology"]], ids=["bce", "focal"])
def test_a_network_learns_one_batch_by_heart(configure, capsys, more):
    config = configure("debug=one_batch", "optimizer.lr=3e-3", "model.drop_rate=0.9", *more)
    run(config)
    assert "passed: the batch is learnt by heart" in capsys.readouterr().out
    assert no_run_was_tracked(config)


def test_a_network_that_does_not_learn_is_refused(configure):
    config = configure("debug=one_batch", "debug.steps=10", "optimizer.lr=1e-9")
    with pytest.raises(MammoscopeError, match="debug=one_batch: after 10 steps the log loss of 16 samples"):
        run(config)
    assert no_run_was_tracked(config)


def test_the_batch_has_both_classes_and_is_not_augmented(configure):
    from mammoscope.jobs.one_batch import _batch

    rehearsal = rehearse(configure("debug=one_batch"))
    first, again = _batch(rehearsal), _batch(rehearsal)
    assert 0.2 < first.targets.mean() < 0.8
    assert first.images.equal(again.images)


@pytest.mark.slow
def test_targets_at_random_are_a_fault_that_it_finds(configure, monkeypatch):
    """What it is there for: a loss that is given other targets at every step."""
    from mammoscope.jobs import rehearsal

    def shuffled(*arguments: object):
        import torch

        loss = build(*arguments)
        return lambda logits, targets: loss(logits, targets[torch.randperm(len(targets))])

    build = rehearsal.build_loss
    monkeypatch.setattr(rehearsal, "build_loss", shuffled)
    with pytest.raises(MammoscopeError, match="does not learn one batch by heart"):
        one_batch(configure("debug=one_batch", "debug.steps=60", "optimizer.lr=3e-3"))


def test_the_range_test_suggests_a_rate_and_leaves_a_table_and_a_picture(configure, tmp_path, capsys):
    folder = tmp_path / "found"
    overrides = ["debug=lr_range", f"debug.folder={folder}", "debug.steps=40", "debug.lr_from=1e-5"]
    config = configure(*overrides, *LITE, "optimizer.backbone_lr_factor=0.5")
    run(config)
    said = capsys.readouterr().out
    assert "suggested: optimizer.lr=" in said
    assert 1e-5 < float(said.split("suggested: optimizer.lr=")[1].split()[0]) < 0.1
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".png"}
    (table,) = folder.glob("*.csv")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert 10 < len(rows) <= 40
    rates = [float(row["lr"]) for row in rows]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[1] / rates[0] == pytest.approx(1e5 ** (1 / 39))
    assert no_run_was_tracked(config)


def test_a_slower_backbone_stays_slower_while_rates_grow(configure):
    from mammoscope.jobs.lr_range import _climb

    rehearsal = rehearse(configure("debug=lr_range", "optimizer.backbone_lr_factor=0.1", "optimizer.lr=0.02"))
    _climb(rehearsal, [1e-4, 1e-3])
    assert sorted({round(group["lr"], 9) for group in rehearsal.optimizer.param_groups}) == [1e-4, 1e-3]
