import pytest

from mammoscope.compose import compose_config
from mammoscope.fingerprint import config_hash, flat_config, public_config

SAME = [
    ["seed=7"],
    ["tracking.uri=sqlite:////elsewhere/x.db"],
    ["tracking.experiment=other"],
    ["tracking.register=never"],
    ["store.root=/elsewhere"],
    ["trainer.device=cpu"],
    ["trainer.workers=4"],
    ["source.recipe.roi_height_px=96"],
]
DIFFERENT = [
    ["trainer.epochs=9"],
    ["optimizer.lr=1e-3"],
    ["data=calc"],
    ["image=full"],
    ["view=cc"],
    ["target=malignancy_without_bwc"],
    ["split.seed=1"],
    ["phantom.seed=1"],
    ["model=resnet50"],
    ["model.weights=none"],
    ["augment=none"],
    ["trainer.precision=bf16"],
]


@pytest.mark.parametrize("overrides", SAME, ids=lambda o: o[0])
def test_what_cannot_change_the_numbers_is_not_in_the_hash(overrides):
    assert config_hash(compose_config(overrides)) == config_hash(compose_config([]))


def test_what_can_change_the_numbers_is():
    hashes = [config_hash(compose_config(overrides)) for overrides in [[], *DIFFERENT]]
    assert len(set(hashes)) == len(hashes)


def test_where_a_tree_lies_is_not_in_the_hash_and_then_neither_is_the_phantom():
    here, there = (["source=cbis_ddsm", f"source.root={root}"] for root in ("/a", "/b"))
    assert config_hash(compose_config(here)) == config_hash(compose_config(there))
    given = ["source.root=/a"]
    assert config_hash(compose_config(given)) == config_hash(compose_config([*given, "phantom.seed=5"]))


def test_the_public_config_holds_no_local_path():
    overrides = [
        "source=cbis_ddsm",
        "source.root=/data/secret",
        "store.root=/data/store",
        "model.weights=/w/a.safetensors",
    ]
    config = compose_config(overrides)
    assert "/data/secret" in str(flat_config(config))
    public = public_config(config)
    assert public.keys() == flat_config(config).keys()
    for value in public.values():
        assert not (isinstance(value, str) and "/" in value), value
    assert public["source.root"] == public_config(compose_config(overrides))["source.root"]
