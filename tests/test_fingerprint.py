import pytest

from mammoscope.compose import compose_config
from mammoscope.fingerprint import LOCAL_PLACES, config_hash, flat_config, public_config

SAME = [
    ["seed=7"],
    ["tracking.uri=sqlite:////elsewhere/x.db"],
    ["tracking.experiment=other"],
    ["tracking.register=never"],
    ["store.root=/elsewhere"],
    ["trainer.device=cpu"],
    ["trainer.workers=4"],
    ["source.recipe.roi_height_px=96"],
    ["debug=one_batch"],
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
    ["augment=none"],
    ["trainer.precision=bf16"],
    ["trainer.deterministic=true"],
    ["trainer.sampling=by_target"],
    ["trainer.sampling=by_patient"],
    ["optimizer=sgd"],
    ["optimizer.layer_decay=0.7"],
    ["optimizer.backbone_lr_factor=0.1"],
    ["optimizer.frozen_epochs=1"],
    ["model.batch_norm=frozen"],
    ["model.head_start=probe"],
    ["model.compile=true"],
    ["model.scales=[1,0.5]"],
    ["model.average_flips=true"],
    ["model.frozen_stages=2"],
    ["trainer.kept_epoch=last"],
    ["loss=focal"],
    ["loss=focal", "loss.gamma=1"],
    ["loss=focal", "loss.alpha=0.3"],
]


def hashed(overrides: list[str], weights: str = "random") -> str:
    return config_hash(compose_config(overrides), weights)


@pytest.mark.parametrize("overrides", SAME, ids=lambda o: o[0])
def test_what_cannot_change_the_numbers_is_not_in_the_hash(overrides):
    assert hashed(overrides) == hashed([])


def test_what_can_change_the_numbers_is():
    hashes = [hashed(overrides) for overrides in [[], *DIFFERENT]]
    assert len(set(hashes)) == len(hashes)


def test_where_a_tree_lies_is_not_in_the_hash_nor_the_phantom_that_is_not_drawn():
    here, there = (["source=cbis_ddsm", f"source.root={root}"] for root in ("/a", "/b"))
    assert hashed(here) == hashed(there) == hashed([*here, "phantom.seed=5"])
    assert hashed(["source.root=/a"]) == hashed([])


def test_weights_count_by_what_they_are_not_by_where_they_lie():
    there = ["model.weights=/b/w.safetensors"]
    assert hashed(["model.weights=/a/w.safetensors"], "w:12") == hashed(there, "w:12") != hashed(there, "w:34")
    assert hashed([], "timm:12") == hashed(["model.weights=imagenet"], "timm:12") != hashed([], "random")


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
    assert public.keys() == flat_config(config).keys() - {"resume", "search", "debug"}
    for value in public.values():
        assert not (isinstance(value, str) and "/" in value), value
    assert public["source.root"] == public_config(compose_config(overrides))["source.root"]


@pytest.mark.parametrize("key", LOCAL_PLACES)
def test_nor_the_bare_name_of_a_place(key):
    overrides = {"source.root": ["source=cbis_ddsm"], "source.csv": ["source=table"]}.get(key, [])
    assert str(public_config(compose_config([*overrides, f"{key}=jane"]))[key]).startswith("local:")
    assert public_config(compose_config([]))["split.allow"] is None
