import itertools

import pytest
from torch import nn

from mammoscope.compose import compose_config
from mammoscope.config import (
    ImageConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TargetConfig,
    ViewConfig,
)
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import Classifier, build_classifier
from mammoscope.training.optimizer import build_optimizer, build_schedule, check_optimizer
from mammoscope.vocabulary import Fusion, ImageVariant, LossName, ScheduleName, TargetPolicy, View


def rates(name: ScheduleName, *, warmup_epochs: float, epochs: int = 10, steps: int = 5) -> list[float]:
    optimizer = build_optimizer(OptimizerConfig(name="sgd", lr=1.0, weight_decay=0), nn.Linear(2, 1))
    schedule = build_schedule(
        ScheduleConfig(name=name, warmup_epochs=warmup_epochs, final_lr_fraction=0.1),
        optimizer,
        epochs=epochs,
        steps_per_epoch=steps,
    )
    seen = []
    for _ in range(epochs * steps):
        seen.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return seen


def test_warm_up_rises_to_the_full_rate_and_cosine_falls_to_the_end():
    seen = rates(ScheduleName.cosine, warmup_epochs=2)
    assert seen[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(a >= b for a, b in itertools.pairwise(seen[9:]))
    assert seen[-1] == pytest.approx(0.1, abs=0.01)


def test_constant_stays_after_its_warm_up():
    seen = rates(ScheduleName.constant, warmup_epochs=1)
    assert seen[0] == pytest.approx(0.2)
    assert set(seen[5:]) == {1.0}


def test_biases_and_norms_do_not_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0.1), network)
    decays = {group["weight_decay"]: [p.ndim for p in group["params"]] for group in optimizer.param_groups}
    assert decays[0.1] == [4]
    assert decays[0.0] == [1, 1, 1]


def test_an_unknown_optimizer_is_named():
    with pytest.raises(MammoscopeError, match=r"optimizer\.name=adamx: .*allowed: .*adamw"):
        check_optimizer(OptimizerConfig(name="adamx", lr=1e-3, weight_decay=0.1))


def a_classifier(fusion: Fusion | None = None) -> Classifier:
    view = ViewConfig(name="pair", views=[View.CC, View.MLO], fusion=fusion)
    classifier, _ = build_classifier(
        ModelConfig(name="resnet18", backbone="resnet18", weights="none"),
        ImageConfig(name=ImageVariant.full, height_px=64, width_px=48),
        LossConfig(name=LossName.bce),
        TargetConfig(name=TargetPolicy.malignancy),
        view=view,
    )
    return classifier


def rate_of(classifier: Classifier, **settings: object) -> dict[str, tuple[float, float]]:
    """(learning rate, weight decay) by name, and of the first group under `logged`."""
    config = OptimizerConfig(name="adamw", lr=1.0, weight_decay=0.1, **settings)
    optimizer = build_optimizer(config, classifier)
    names = {id(parameter): name for name, parameter in classifier.named_parameters()}
    rates = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rates.keys() == set(names.values()), "every weight is in one group"
    return {**rates, "logged": (optimizer.param_groups[0]["lr"], 0)}


def test_the_backbone_learns_at_a_fraction_of_the_heads_rate():
    rates = rate_of(a_classifier(), backbone_lr_factor=0.1)
    assert rates["backbone.fc.weight"] == (1.0, 0.1)
    assert rates["backbone.fc.bias"] == (1.0, 0.0)
    assert rates["backbone.conv1.weight"] == rates["backbone.layer4.1.conv2.weight"] == (0.1, 0.1)
    assert rates["backbone.bn1.weight"] == (0.1, 0.0)
    assert rates["logged"] == (1.0, 0)


def test_with_layer_decay_each_layer_is_slower_than_the_one_above():
    rates = rate_of(a_classifier(), layer_decay=0.5)
    blocks = [f"backbone.layer{stage}.{block}.conv1.weight" for stage in (4, 3, 2, 1) for block in (1, 0)]
    path = ["backbone.fc.weight", *blocks, "backbone.conv1.weight"]
    assert [rates[name][0] for name in path] == [0.5**depth for depth in range(10)]
    assert rates["backbone.bn1.weight"] == (0.5**9, 0.0)
    assert rates["logged"] == (1.0, 0)


def test_what_fuses_views_learns_as_fast_as_the_head_and_the_layers_below_it_slower():
    rates = rate_of(a_classifier(Fusion.concatenation), layer_decay=0.5)
    assert {rate for name, (rate, _) in rates.items() if name.startswith("fusion.")} == {1.0}
    assert rates["backbone.layer4.1.conv1.weight"][0] == 0.5
    assert rate_of(a_classifier(Fusion.mean), backbone_lr_factor=0.2)["backbone.layer4.1.conv1.weight"][0] == 0.2


def test_the_schedule_keeps_the_rates_apart():
    """timm only notes what a layer's rate is to be, for schedulers of its own."""
    config = OptimizerConfig(name="sgd", lr=1.0, weight_decay=0, backbone_lr_factor=0.1)
    optimizer = build_optimizer(config, a_classifier())
    schedule = build_schedule(
        ScheduleConfig(name=ScheduleName.cosine, warmup_epochs=0, final_lr_fraction=0),
        optimizer,
        epochs=2,
        steps_per_epoch=2,
    )
    for _ in range(2):
        optimizer.step()
        schedule.step()
    assert schedule.get_last_lr() == pytest.approx([0.5, 0.05])


def test_without_rates_of_their_own_the_groups_are_timms():
    classifier = a_classifier()
    ours = build_optimizer(OptimizerConfig(name="adamw", lr=1.0, weight_decay=0.1), classifier)
    assert [(group["lr"], group["weight_decay"]) for group in ours.param_groups] == [(1.0, 0.0), (1.0, 0.1)]


def test_sgd_has_nesterovs_momentum():
    optimizer = build_optimizer(compose_config(["optimizer=sgd", "optimizer.momentum=0.8"]).optimizer, nn.Linear(2, 1))
    assert {(group["momentum"], group["nesterov"]) for group in optimizer.param_groups} == {(0.8, True)}


def test_momentum_is_refused_where_it_would_be_ignored():
    config = OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0, momentum=0.9)
    with pytest.raises(MammoscopeError, match=r"optimizer\.momentum=0\.9: optimizer\.name=adamw takes no momentum"):
        check_optimizer(config)
    for option in ("adamw", "sgd"):
        check_optimizer(compose_config([f"optimizer={option}"]).optimizer)
