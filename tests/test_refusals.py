"""What Hydra refuses, in words that name key, value and what is allowed."""

import pytest

from mammoscope.compose import compose_config
from mammoscope.errors import MammoscopeError
from mammoscope.refusals import explain


def message(overrides: list[str]) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (Hydra's own kinds, explained below)
        compose_config(overrides)
    error = caught.value
    return str(error) if isinstance(error, MammoscopeError) else explain(error)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model=resnet19", "model=resnet19: there is no such option; allowed: convnext_small, "),
        ("data=masses", "data=masses: there is no such option; allowed: all, calc, mass"),
        ("trainer.epoch=3", "trainer.epoch: there is no such key (did you mean trainer.epochs?); allowed in trainer: "),
        ("modle=resnet18", "modle: there is no such key (did you mean model?); allowed: source, "),
        ("sed=3", "sed: there is no such key (did you mean seed?)"),
        ("+foo=1", "foo: there is no such key"),
        ("+trainer.foo=1", "trainer.foo: there is no such key; allowed in trainer: epochs"),
        ("trainer.epochs=abc", "trainer.epochs: 'abc' is not allowed; allowed: a whole number"),
        ("trainer.epochs=1.5", "trainer.epochs: '1.5' is not allowed; allowed: a whole number"),
        ("optimizer.lr=fast", "optimizer.lr: 'fast' is not allowed; allowed: a number"),
        ("trainer.channels_last=perhaps", "trainer.channels_last: 'perhaps' is not allowed; allowed: true or false"),
        ("trainer.precision=int8", "trainer.precision: 'int8' is not allowed; allowed: auto, fp32, bf16"),
        ("data.kinds=[lump]", "data.kinds: 'lump' is not allowed; allowed: mass, calc"),
        ("model=timm", "model.backbone is not set"),
        ("split.folds.x=1", "split.folds: there is no such key"),
        ("experiment=none_such", "experiment=none_such: there is no such option; allowed: calc_roi, demo"),
        ("model=[resnet18,resnet50]", "model: exactly one option is needed; allowed: convnext_small, "),
        ("~model", "model: exactly one option is needed"),
        ("data=mass+calc", "data=mass+calc: there is no such option; allowed: all, calc, mass"),
        ("trainer.epochs=null", "trainer.epochs: null is not allowed; allowed: a whole number"),
        ("image.name=null", "image.name: null is not allowed; allowed: roi, full"),
        ("model.weights=null", "model.weights: null is not allowed; allowed: a value"),
        ("~trainer.epochs", "trainer.epochs: cannot be taken away"),
        ("hydra.foo=1", "hydra.foo: Hydra has no such key"),
    ],
)
def test_hydras_refusals_name_key_value_and_what_is_allowed(override: str, said: str):
    assert message([override]).startswith(said)
