"""What of a network learns in which epoch, by its weights before and after steps of the real loop."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from timm.layers import DropPath

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, OptimizerConfig, ScheduleConfig, TargetConfig
from mammoscope.data.batches import Batch
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import Classifier, build_classifier
from mammoscope.training.device import Fabric, build_fabric, seed_everything
from mammoscope.training.loop import Epoch, Learner, train_epochs
from mammoscope.training.losses import build_loss
from mammoscope.training.modes import modes_of
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.training.readings import Progress
from mammoscope.training.state import Trained, read_snapshot, take_snapshot, write_snapshot
from mammoscope.vocabulary import BatchNorm, HeadStart, ImageVariant, LossName, Precision, ScheduleName, TargetPolicy

LITE = "tf_efficientnet_lite0"  # its weights come with the set-up


class FewImages:
    """Eight images in batches of four, in another order each epoch."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = torch.from_numpy(rng.integers(0, 65536, (8, 1, 32, 32), dtype=np.uint16))

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        order = torch.from_numpy(np.random.default_rng(number).permutation(8))
        for picks in order.split(4)[start:]:
            yield Batch(self.images[picks], (picks % 2).float(), picks)


def a_training(**settings: object) -> tuple[Classifier, Trained, Iterator[object]]:
    """A training of three epochs, of which none has begun."""
    model = {
        key: settings.pop(key)
        for key in ("batch_norm", "compile", "drop_rate", "frozen_stages", "head_start")
        if key in settings
    }
    optimizer = OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0.01, **settings)
    config = ModelConfig(name=LITE, backbone=LITE, weights="imagenet", **{"drop_rate": 0.2, **model})
    seed_everything(0)
    classifier, _ = build_classifier(
        config,
        ImageConfig(name=ImageVariant.full, height_px=32, width_px=32),
        LossConfig(name=LossName.bce),
        TargetConfig(name=TargetPolicy.malignancy),
    )
    if config.compile:
        classifier.compile()
    modes = modes_of(config, optimizer, classifier)
    if modes is not None:
        modes.freeze_stages()
    fabric: Fabric = build_fabric(torch.device("cpu"), Precision.fp32)
    network, built = fabric.setup(classifier, build_optimizer(optimizer, classifier))
    schedule = build_schedule(
        ScheduleConfig(name=ScheduleName.cosine, warmup_epochs=1, final_lr_fraction=0.1),
        built,
        epochs=3,
        steps_per_epoch=2,
    )
    images = FewImages()
    learner = Learner(
        network=network,
        bare=classifier,
        average=None,
        optimizer=built,
        schedule=schedule,
        loss=build_loss(LossConfig(name=LossName.bce), [0, 1], np.ones(2)),
        mixup=None,
        train=images,
        validation=images,
        accumulate=1,
        clip_norm=1.0,
        begin=None if modes is None else modes.begin,
        weights=classifier.state_dict,
    )
    trained = Trained(fabric, learner, Progress())
    moments = train_epochs(fabric, learner, trained.progress, epochs=3, pause=lambda: True)
    return classifier, trained, moments


def state_of(classifier: Classifier) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in classifier.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def epoch_by_epoch(classifier: Classifier, moments: Iterator[object]) -> list[dict[str, torch.Tensor]]:
    """The state at first and after each epoch."""
    return [state_of(classifier), *(state_of(classifier) for moment in moments if isinstance(moment, Epoch))]


def test_the_head_learns_alone_first_and_batch_norm_stands_still_meanwhile():
    classifier, _, moments = a_training(frozen_epochs=1)
    first, second, third, _ = epoch_by_epoch(classifier, moments)
    assert changed(first, second) == {"backbone.classifier.weight", "backbone.classifier.bias"}
    later = changed(second, third)
    assert {"backbone.conv_stem.weight", "backbone.bn1.weight", "backbone.bn1.running_mean"} <= later


def test_frozen_batch_norm_keeps_its_statistics_and_learns_its_weights():
    classifier, _, moments = a_training(batch_norm=BatchNorm.frozen)
    first, *_, last = epoch_by_epoch(classifier, moments)
    moved = changed(first, last)
    assert not {name for name in moved if "running_" in name or "num_batches" in name}
    assert {"backbone.conv_stem.weight", "backbone.bn1.weight"} <= moved


def test_batch_norm_moves_unless_told_otherwise():
    classifier, _, moments = a_training()
    first, *_, last = epoch_by_epoch(classifier, moments)
    assert "backbone.bn1.running_mean" in changed(first, last)


def test_the_first_stages_keep_their_weights_and_statistics_and_the_others_learn():
    classifier, _, moments = a_training(frozen_stages=3)
    first, *_, last = epoch_by_epoch(classifier, moments)
    moved = changed(first, last)
    frozen = ("backbone.conv_stem.", "backbone.bn1.", *(f"backbone.blocks.{stage}." for stage in range(3)))
    assert not {name for name in moved if name.startswith(frozen)}
    assert {"backbone.blocks.3.0.conv_pw.weight", "backbone.blocks.3.0.bn1.running_mean", "backbone.bn2.bias"} <= moved


def test_more_frozen_stages_than_there_are_are_refused():
    a_training(frozen_stages=6)
    with pytest.raises(MammoscopeError, match=f"^model.frozen_stages=7: {LITE} has 7 stages; allowed: 0 to 6"):
        a_training(frozen_stages=7)


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5])
def test_a_training_that_is_gone_on_with_thaws_where_it_would_have(stop_after: int, tmp_path):
    """Stopped in the frozen epoch, at its end, and in the next: the weights are those of one that never stopped."""
    whole, _, moments = a_training(frozen_epochs=1)
    expected = epoch_by_epoch(whole, moments)[-1]
    _, trained, moments = a_training(frozen_epochs=1)
    for _ in range(stop_after):
        next(moments)
    write_snapshot(take_snapshot(trained.tree()), tmp_path / "state.safetensors")
    classifier, trained, moments = a_training(frozen_epochs=1)
    trained.restore(read_snapshot(tmp_path / "state.safetensors"))
    assert not changed(expected, epoch_by_epoch(classifier, moments)[-1])


def test_compiled_in_place_tensors_keep_their_names():
    classifier, _, _ = a_training()
    names = list(classifier.state_dict())
    classifier.compile()
    assert list(classifier.state_dict()) == names
    assert classifier._compiled_call_impl is not None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_training_learns_what_a_plain_one_does():
    """The first frozen epoch makes it compile anew when the backbone wakes.

    The frozen epoch is equal but for rounding. After it batch norm sees four images at a time, and Adam makes whole
    steps of gradients near zero: nearly, beside how far it went.
    """
    head = "backbone.classifier.weight"
    classifier, _, moments = a_training(frozen_epochs=1, drop_rate=0.0)  # compiled, it draws other units to drop
    begun, *expected = epoch_by_epoch(classifier, moments)
    classifier, _, moments = a_training(frozen_epochs=1, drop_rate=0.0, compile=True)
    _, *found = epoch_by_epoch(classifier, moments)
    assert list(found[-1]) == list(expected[-1])
    torch.testing.assert_close(found[0][head], expected[0][head], rtol=0, atol=1e-7)
    assert (found[1][head] - expected[1][head]).norm() < 0.2 * (expected[1][head] - begun[head]).norm()


def test_dropped_paths_reach_timm():
    def rates(drop_path_rate: float) -> list[float]:
        classifier, _ = build_classifier(
            ModelConfig(name="c", backbone="convnext_atto", weights="none", drop_path_rate=drop_path_rate),
            ImageConfig(name=ImageVariant.full, height_px=64, width_px=64),
            LossConfig(name=LossName.bce),
            TargetConfig(name=TargetPolicy.malignancy),
        )
        return [module.drop_prob for module in classifier.modules() if isinstance(module, DropPath)]

    assert max(rates(0.3)) == pytest.approx(0.3)
    assert not any(rates(0.0))


def test_nothing_is_told_where_nothing_changes():
    plain = OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0)
    classifier, _, _ = a_training()
    assert modes_of(ModelConfig(name=LITE, backbone=LITE, head_start=HeadStart.probe), plain, classifier) is None
