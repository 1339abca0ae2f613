"""Every value out of range and every combination that makes no sense, with the reason that is given."""

import pytest

from mammoscope.checks import _COMBINATIONS, _RANGES
from mammoscope.compose import compose_config
from mammoscope.errors import MammoscopeError

OUT_OF_RANGE = {
    "seed": -1,
    "split.seed": -1,
    "split.fold": 5,
    "split.validation_fraction": 1.0,
    "store.workers": -1,
    "image.height_px": 8,
    "image.width_px": 0,
    "image.context": 0.5,
    "target.normal_per_image": 0,
    "image.window_px": 8,
    "image.jitter_fraction": 0.6,
    "model.drop_rate": 1.0,
    "model.drop_path_rate": -0.1,
    "model.frozen_stages": -1,
    "loss.pos_weight": 0.0,
    "loss.smoothing": 1.0,
    "loss.gamma": -1.0,
    "loss.alpha": 1.0,
    "optimizer.lr": 0.0,
    "optimizer.weight_decay": -1.0,
    "optimizer.momentum": 1.0,
    "optimizer.layer_decay": 1.0,
    "optimizer.backbone_lr_factor": 0.0,
    "optimizer.frozen_epochs": -1,
    "schedule.warmup_epochs": -1.0,
    "schedule.final_lr_fraction": 2.0,
    "trainer.epochs": -3,
    "trainer.batch_size": 1,
    "trainer.workers": -2,
    "trainer.clip_norm": 0.0,
    "trainer.patience_epochs": 0,
    "trainer.accumulate_batches": 0,
    "trainer.ema_decay": 1.0,
    "trainer.checkpoint_every_s": -1,
    "augment.flip_horizontal": 1.1,
    "augment.flip_vertical": -0.1,
    "augment.rotate_deg": 400.0,
    "augment.scale_fraction": 1.0,
    "augment.translate_fraction": 1.0,
    "augment.brightness_fraction": 2.0,
    "augment.contrast_fraction": -1.0,
    "augment.mixup_alpha": -0.1,
}


def test_the_table_below_is_complete():
    assert set(OUT_OF_RANGE) == {key for key, _, _ in _RANGES}


@pytest.mark.parametrize("key", list(OUT_OF_RANGE))
def test_a_value_out_of_range_is_refused(key: str):
    with pytest.raises(MammoscopeError, match=rf"^{key}={OUT_OF_RANGE[key]}: allowed: "):
        compose_config([f"{key}={OUT_OF_RANGE[key]}"])


OWN = ["source=table", "source.csv=own.csv"]

IMPOSSIBLE = [
    (["split=cv5"], "split.fold is not set: split=cv5 needs"),
    (["split.fold=1"], "split.fold=1: split=official_strict has no folds"),
    (["split=cv5", "split.fold=0", "split.validation_fraction=0.3"], "split.validation_fraction=0.3: split=cv5"),
    (["data.kinds=[]"], "data.name=mass: does not fit its data.kinds"),
    (["view.views=[CC,CC]"], "view.name=both: does not fit its view.views"),
    (["augment=default", "augment.name=none"], "augment.name=none: does not fit its values"),
    (["model.name=a/b"], "model.name='a/b': runs are called by it"),
    (["image=full", "image.context=2"], "image.context=2.0: image=full shows whole breasts"),
    (["image.context=null"], "image.context=null: image=roi needs the side of its window"),
    (["target=tissue", "loss=bce"], "loss=bce: target=tissue has more than two classes"),
    (["target=tissue_by_kind"], "target=tissue_by_kind with data=mass: it tells both kinds apart"),
    (["target=tissue", "image=full"], "target=tissue with image=full view=both: it needs patches"),
    (["target=tissue", "image.context=2"], "image.context=2.0 image.window_px=128: with target=tissue the window"),
    (["target.normal_per_image=3"], "target.normal_per_image=3: target=malignancy takes a number where it cuts"),
    (["image=full", "image.window_px=90"], "image.window_px=90: image=full shows whole breasts"),
    (["image=released_crop", "image.context=2"], "image.context=2.0 image.window_px=None: image=released_crop is"),
    (["image.context=2", "image.window_px=90"], "image.context=2.0 with image.window_px=90: two sides of one window"),
    (["image=released_crop", "image.jitter_fraction=0.1"], "image.jitter_fraction=0.1: image=released_crop has no"),
    (["model.trainable=head", "image.jitter_fraction=0.1"], "image.jitter_fraction=0.1: features of a frozen backbone"),
    (["view.fusion=mean"], "view.fusion=mean: with view=both; view=pair takes one of"),
    (["view=pair", "image=full", "augment.mixup_alpha=0.2"], "augment.mixup_alpha=0.2: with view=pair a missing view"),
    (["view=pair"], "view=pair with image=roi: numbers of abnormalities are not stable across views"),
    (
        ["view=pair", "image=full", "view.fusion=attention", "model.trainable=head"],
        "view.fusion=attention with model.trainable=head: what weighs",
    ),
    (["loss=cross_entropy", "loss.pos_weight=2"], "loss.pos_weight=2.0: cross_entropy has no positive class to weigh"),
    (["loss=focal", "loss.smoothing=0.1"], "loss.pos_weight=None loss.smoothing=0.1: loss=focal weighs the classes by"),
    (["loss.gamma=2"], "loss.gamma=2.0: loss=bce; loss=focal takes a number"),
    (["loss.alpha=0.3"], "loss.alpha=0.3: loss=bce target=malignancy; it is the weight of malignant"),
    (
        ["optimizer.layer_decay=0.7", "optimizer.backbone_lr_factor=0.1"],
        "optimizer.layer_decay=0.7 with optimizer.backbone_lr_factor=0.1: two answers",
    ),
    (["model.scales=[1]"], "model.scales=[1.0]: allowed: none, or 2 to 8 fractions"),
    (["model.scales=[1,0.1]"], "model.scales=[1.0, 0.1]: the last of image.height_px=96 image.width_px=96 has fewer"),
    (["model.scales=[1,0.5]", "view=pair", "image=full"], "model.scales=[1.0, 0.5] with view=pair: a breast's"),
    (
        ["trainer.kept_epoch=last", "trainer.patience_epochs=2"],
        "trainer.kept_epoch=last with trainer.patience_epochs=2: patience waits",
    ),
    (["optimizer.frozen_epochs=8"], "optimizer.frozen_epochs=8: with trainer.epochs=8 the backbone would never learn"),
    (["model.trainable=head", "model.compile=true"], "model.trainable=head: the backbone does not learn"),
    (
        ["model.weights=none", "model.batch_norm=frozen"],
        "model.weights=none: features of a random backbone",
    ),
    (["model.trainable=head", "model.weights=none"], "model.weights=none with model.trainable=head"),
    (["model.trainable=head", "model.drop_path_rate=0.1"], "model.drop_path_rate=0.1: a frozen backbone"),
    (["model.trainable=head", "model.drop_rate=0.5"], "model.drop_rate=0.5: features of a frozen backbone"),
    (["source=cbis_ddsm"], "source.root is not set: give source.root=<folder of the download>"),
    (["source=table"], "source.csv is not set: source=table needs the list of images"),
    (["source.csv=own.csv"], "source.csv=own.csv: source=phantom reads a folder"),
    ([*OWN, "source.root=own"], "source.root=own: the paths of a table are seen from the folder that it lies in"),
    ([*OWN, "target=malignancy_without_bwc"], "target=malignancy_without_bwc: a table says malignant or not"),
    ([*OWN, "image=released_crop"], "image=released_crop: a table has no patches that were published"),
    ([*OWN, "split=official"], "split=official: a scheme of CBIS-DDSM; a table is split by its column"),
    (["split.name=carved"], "data.name=mass split.name=carved: names of a table's data"),
    (["debug=one_batch", "resume=auto"], "resume=auto with debug=one_batch: nothing is tracked"),
    (["debug=lr_range", "model.trainable=head"], "debug=lr_range with model.trainable=head: a last layer"),
    (["trainer.epochs=3", "schedule.warmup_epochs=3"], "schedule.warmup_epochs=3.0: with trainer.epochs=3"),
]


def test_every_combination_has_a_case():
    assert len(IMPOSSIBLE) == len(_COMBINATIONS)


@pytest.mark.parametrize(("overrides", "said"), IMPOSSIBLE, ids=[said[:30] for _, said in IMPOSSIBLE])
def test_an_impossible_combination_is_refused_with_its_reason(overrides, said, monkeypatch):
    monkeypatch.delenv("CBIS_DDSM_ROOT", raising=False)
    with pytest.raises(MammoscopeError) as caught:
        compose_config(overrides)
    assert str(caught.value).startswith(said)


ALSO = [
    (["data=mass", "data.name=calc"], "data.name=calc"),
    (["data.kinds=[mass,mass]"], "data.name=mass"),
    (["view=cc", "view.name=both"], "view.name=both"),
    (["augment=none", "augment.flip_horizontal=0.5"], "augment.name=none"),
    (["phantom.patients=-3"], "phantom.patients=-3: allowed: at least 12"),
    (["phantom.width_px=100"], "phantom.width_px=100: allowed: half of phantom.height_px="),
    (["loss=focal", "loss.gamma=null"], "loss.gamma=None: loss=focal"),
    (["loss=focal", "loss.alpha=0.3", "target=pathology"], "loss.alpha=0.3: loss=focal target=pathology"),
    (["loss=focal", "loss.pos_weight=2"], "loss.pos_weight=2.0 loss.smoothing=0.0: loss=focal weighs"),
    (["model.trainable=head", "optimizer.layer_decay=0.7"], "model.trainable=head: the backbone does not learn"),
    (["model.trainable=head", "optimizer.frozen_epochs=1"], "model.trainable=head: the backbone does not learn"),
    (["model.scales=[0.5,1]"], "model.scales=[0.5, 1.0]: allowed: none, or 2 to 8 fractions"),
    (["model.scales=[1,0]"], "model.scales=[1.0, 0.0]: allowed: none, or"),
    (["model.trainable=head", "model.frozen_stages=2"], "model.trainable=head: the backbone does not learn"),
    (["model.weights=none", "model.frozen_stages=2"], "model.weights=none: features of a random backbone"),
    (["model.trainable=head", "model.head_start=probe"], "model.trainable=head: the backbone does not learn"),
    (["model.weights=none", "model.head_start=probe"], "model.weights=none: features of a random backbone"),
    (["model.weights=none", "optimizer.frozen_epochs=1"], "model.weights=none: features of a random backbone"),
    (["debug=one_batch", "debug.steps=1"], "debug.steps=1: allowed: 10 to 100000"),
    (["debug=one_batch", "debug.log_loss=0"], "debug.log_loss=0.0: allowed: above 0"),
    (["debug=one_batch", "debug.lr_to=1"], "debug.lr_to=1.0: allowed: above 0, to 10, for debug=lr_range"),
    (["debug=lr_range", "debug.lr_from=nan"], "debug.lr_from=nan: allowed: above 0"),
    (["debug=lr_range", "debug.lr_from=2"], "debug.lr_to=1.0: allowed: above debug.lr_from=2.0"),
    (["debug=lr_range", "debug.folder="], "debug.folder=: allowed: a folder"),
    (["store.root="], "store.root is blank"),
    (["source=cbis_ddsm", "source.root="], "source.root is blank"),
]


@pytest.mark.parametrize(("overrides", "said"), ALSO, ids=[" ".join(overrides) for overrides, _ in ALSO])
def test_what_contradicts_itself_is_refused(overrides, said):
    with pytest.raises(MammoscopeError) as caught:
        compose_config(overrides)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e30"])
@pytest.mark.parametrize("key", ["optimizer.lr", "optimizer.weight_decay", "loss.pos_weight"])
def test_numbers_without_end_are_refused(key: str, value: str):
    with pytest.raises(MammoscopeError, match=rf"^{key}=.*: allowed: "):
        compose_config([f"{key}={value}"])


def test_nothing_that_is_written_may_lie_in_the_source(tmp_path):
    here = ["source=cbis_ddsm", f"source.root={tmp_path}"]
    for written in (f"store.root={tmp_path}/a", f"tracking.uri=sqlite:///{tmp_path}/b.db", f"tracking.home={tmp_path}"):
        with pytest.raises(MammoscopeError, match=rf"^{written.partition('=')[0]}=.*never written to"):
            compose_config([*here, written])
