"""Values and combinations that make no sense, refused before anything runs, each with its reason."""

import math
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mammoscope.config import PhantomConfig, PrepareConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.learning_checks import LEARNING_COMBINATIONS, check_debug
from mammoscope.table_checks import TABLE_COMBINATIONS
from mammoscope.vocabulary import (
    CLASSES,
    CV_FOLDS,
    NORMAL,
    Fusion,
    ImageVariant,
    SourceName,
    SplitScheme,
    TargetPolicy,
    Trainable,
)


def check_config(config: TrainConfig) -> None:
    """Raises MammoscopeError naming key, value and what is allowed."""
    for key, is_allowed, allowed in _RANGES:
        value = _value(config, key)
        if value is not None and not (math.isfinite(value) and is_allowed(value)):
            raise MammoscopeError(f"{key}={value}: allowed: {allowed}")
    check_phantom(config.phantom)
    part_of(config.prepare)
    check_debug(config)
    _check_places(config)
    for makes_no_sense, reason in _COMBINATIONS:
        if makes_no_sense(config):
            raise MammoscopeError(reason.format(config=config))


def check_phantom(config: PhantomConfig) -> None:
    """Raises MammoscopeError that names the key, its value and what is allowed."""
    limits = (
        ("patients", config.patients >= 12, "at least 12"),
        ("patients", config.patients <= 99999, "at most 99999, ids have five digits"),
        ("seed", config.seed >= 0, "0 or more"),
        ("d_prime", 0 < config.d_prime <= 10, "above 0, at most 10"),
        ("height_px", 128 <= config.height_px <= 16384, "at least 128, at most 16384"),
        ("width_px", config.width_px >= 96, "at least 96"),
        (
            "width_px",
            0.5 <= config.width_px / config.height_px <= 1,
            f"half of phantom.height_px={config.height_px} to all of it",
        ),
        ("test_fraction", 0 < config.test_fraction < 1, "between 0 and 1"),
    )
    for key, fits, allowed in limits:
        if not fits:
            raise MammoscopeError(f"phantom.{key}={getattr(config, key)}: allowed: {allowed}")


def part_of(config: PrepareConfig) -> tuple[int, int] | None:
    """(i, n) of prepare.part=i/n. Raises MammoscopeError for what is none."""
    if config.part is None:
        return None
    words = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", config.part)
    if words is None or int(words[1]) > int(words[2]):
        raise MammoscopeError(f"prepare.part={config.part}: allowed: i/n, the i-th of n shares, as 1/8 to 8/8")
    return int(words[1]), int(words[2])


def _check_places(config: TrainConfig) -> None:
    """A source is never written to, so nothing that is written may lie in it."""
    for key, place in (("store.root", config.store.root), ("tracking.home", config.tracking.home)):
        if not place.strip():
            raise MammoscopeError(f"{key} is blank; allowed: a folder")
    if config.source.root is None:
        return
    if not config.source.root.strip():
        raise MammoscopeError("source.root is blank; allowed: the folder of a source")
    written = {
        "store.root": config.store.root,
        "tracking.home": config.tracking.home,
        "tracking.uri": config.tracking.uri.removeprefix("sqlite:///"),
    }
    for key, place in written.items():
        if "://" not in place:
            refuse_inside(Path(config.source.root), Path(place), f"{key}={place}")


def _value(config: TrainConfig, key: str) -> float | None:
    group, _, field = key.rpartition(".")
    return getattr(getattr(config, group) if group else config, field)


def _at_least(low: float) -> Callable[[float], bool]:
    return lambda value: value >= low


def _is_seed(value: float) -> bool:
    return 0 <= value < 2**32


def _in_unit(value: float) -> bool:
    return 0 <= value <= 1


_RANGES: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("seed", _is_seed, "0 to 4294967295"),
    ("split.seed", _is_seed, "0 to 4294967295"),
    ("split.fold", lambda v: 0 <= v < CV_FOLDS, f"0 to {CV_FOLDS - 1}"),
    ("split.validation_fraction", lambda v: 0 < v < 1, "between 0 and 1, both excluded"),
    ("store.workers", _at_least(0), "0 (a process a core) or more"),
    ("image.height_px", lambda v: 16 <= v <= 8192, "16 to 8192"),
    ("image.width_px", lambda v: 16 <= v <= 8192, "16 to 8192"),
    ("target.normal_per_image", lambda v: 1 <= v <= 64, "1 to 64"),
    ("image.context", lambda v: 1 <= v <= 20, "1 (the ROI's box itself) to 20"),
    ("image.window_px", lambda v: 16 <= v <= 8192, "16 to 8192, or null"),
    ("image.jitter_fraction", lambda v: 0 <= v <= 0.5, "0 to 0.5"),
    ("model.drop_rate", lambda v: 0 <= v < 1, "0 to below 1"),
    ("model.drop_path_rate", lambda v: 0 <= v < 1, "0 to below 1"),
    ("model.frozen_stages", _at_least(0), "0 or more"),
    ("loss.pos_weight", lambda v: 0 < v <= 1000, "above 0, to 1000, or null"),
    ("loss.smoothing", lambda v: 0 <= v < 1, "0 to below 1"),
    ("loss.gamma", lambda v: 0 <= v <= 10, "0 to 10"),
    ("loss.alpha", lambda v: 0 < v < 1, "between 0 and 1, both excluded, or null"),
    ("optimizer.lr", lambda v: 0 < v <= 100, "above 0, to 100"),
    ("optimizer.weight_decay", lambda v: 0 <= v <= 1000, "0 to 1000"),
    ("optimizer.momentum", lambda v: 0 <= v < 1, "0 to below 1, or null"),
    ("optimizer.layer_decay", lambda v: 0 < v < 1, "between 0 and 1, both excluded, or null"),
    (
        "optimizer.backbone_lr_factor",
        lambda v: 0 < v <= 1,
        "above 0 (for 0: model.trainable=head), to 1",
    ),
    ("optimizer.frozen_epochs", _at_least(0), "0 or more"),
    ("schedule.warmup_epochs", _at_least(0), "0 or more"),
    ("schedule.final_lr_fraction", _in_unit, "0 to 1"),
    ("trainer.epochs", _at_least(1), "1 or more"),
    ("trainer.batch_size", _at_least(2), "2 or more"),
    ("trainer.workers", _at_least(0), "0 or more, or null"),
    ("trainer.clip_norm", lambda v: v > 0, "above 0, or null"),
    ("trainer.patience_epochs", _at_least(1), "1 or more, or null"),
    ("trainer.accumulate_batches", _at_least(1), "1 or more"),
    ("trainer.ema_decay", lambda v: 0 < v < 1, "between 0 and 1, or null"),
    ("trainer.checkpoint_every_s", _at_least(0), "0 or more"),
    ("augment.flip_horizontal", _in_unit, "0 to 1"),
    ("augment.flip_vertical", _in_unit, "0 to 1"),
    ("augment.rotate_deg", lambda v: 0 <= v <= 180, "0 to 180"),
    ("augment.scale_fraction", lambda v: 0 <= v < 1, "0 to below 1"),
    ("augment.translate_fraction", lambda v: 0 <= v < 1, "0 to below 1"),
    ("augment.brightness_fraction", _in_unit, "0 to 1"),
    ("augment.contrast_fraction", _in_unit, "0 to 1"),
    ("augment.mixup_alpha", lambda v: 0 <= v <= 10, "0 to 10"),
)

# what a name stands for, sorted; table: what data becomes where a user's table does not tell kinds apart
_KINDS = {"mass": ["mass"], "calc": ["calc"], "all": ["calc", "mass"], "table": ["unknown"]}
_VIEWS = {"cc": ["CC"], "mlo": ["MLO"], "both": ["CC", "MLO"], "pair": ["CC", "MLO"]}


def _cuts_normal(config: TrainConfig) -> bool:
    return NORMAL in CLASSES[config.target.name]


def _augments(config: TrainConfig) -> bool:
    return any(value for key, value in asdict(config.augment).items() if key != "name")


_COMBINATIONS: tuple[tuple[Callable[[TrainConfig], bool], str], ...] = (
    (
        lambda c: c.split.name is SplitScheme.cv5 and c.split.fold is None and c.search is None,
        f"split.fold is not set: split=cv5 needs the fold that validates; allowed: 0 to {CV_FOLDS - 1}",
    ),
    (
        lambda c: c.split.name is not SplitScheme.cv5 and c.split.fold is not None,
        "split.fold={config.split.fold}: split={config.split.name} has no folds; use split=cv5 or leave it out",
    ),
    (
        lambda c: c.split.name is SplitScheme.cv5 and c.split.validation_fraction != 1 / CV_FOLDS,
        "split.validation_fraction={config.split.validation_fraction}: split=cv5 validates on one fold of five; leave "
        "it out",
    ),
    (
        lambda c: _KINDS.get(c.data.name) != sorted(c.data.kinds),
        "data.name={config.data.name}: does not fit its data.kinds, and runs and models are called by it; choose "
        "data=mass|calc|all and leave both alone",
    ),
    (
        lambda c: _VIEWS.get(c.view.name) != sorted(c.view.views),
        "view.name={config.view.name}: does not fit its view.views, and runs and models are called by it; choose "
        "view=cc|mlo|both|pair and leave both alone",
    ),
    (
        lambda c: (c.augment.name == "none") == _augments(c),
        "augment.name={config.augment.name}: does not fit its values (none: all are 0); choose augment=none, or "
        "augment=default and change its values",
    ),
    (
        lambda c: re.fullmatch(r"[\w.-]+", c.model.name) is None,
        "model.name={config.model.name!r}: runs are called by it; allowed: letters, digits, and any of _ . -",
    ),
    (
        lambda c: c.image.name is ImageVariant.full and c.image.context is not None,
        "image.context={config.image.context}: image=full shows whole breasts, there is no box to take a context of; "
        "use image=roi or leave image.context out",
    ),
    (
        lambda c: c.image.name is ImageVariant.roi and c.image.context is None and c.image.window_px is None,
        "image.context=null: image=roi needs the side of its window in longer sides of the ROI's box (1 to 20), or in "
        "film pixels as image.window_px",
    ),
    (
        lambda c: c.target.name is TargetPolicy.tissue_by_kind and c.data.name != "all",
        "target=tissue_by_kind with data={config.data.name}: it tells both kinds apart; use data=all, or target=tissue",
    ),
    (
        lambda c: _cuts_normal(c) and (c.image.name is not ImageVariant.roi or c.view.name == "pair"),
        "target={config.target.name} with image={config.image.name} view={config.view.name}: it needs patches, whose "
        "like can be cut from any place of a film; use image=roi with view=cc, mlo or both",
    ),
    (
        lambda c: _cuts_normal(c) and (c.image.context is not None or c.image.window_px is None),
        "image.context={config.image.context} image.window_px={config.image.window_px}: with "
        "target={config.target.name} the window is the same for all patches, so that the scale at training is that at "
        "sliding over whole films; give image.window_px alone, the side of the window in film pixels",
    ),
    (
        lambda c: _cuts_normal(c) != (c.target.normal_per_image is not None),
        "target.normal_per_image={config.target.normal_per_image}: target={config.target.name} "
        "takes a number where it cuts normal patches (tissue, tissue_by_kind), null elsewhere",
    ),
    (
        lambda c: c.image.name is ImageVariant.full and c.image.window_px is not None,
        "image.window_px={config.image.window_px}: image=full shows whole breasts, there is no box to put a window "
        "around; use image=roi or leave image.window_px out",
    ),
    (
        lambda c: c.image.name is ImageVariant.released_crop and (c.image.context or c.image.window_px) is not None,
        "image.context={config.image.context} image.window_px={config.image.window_px}: image=released_crop is the "
        "patch as it was published, there is nothing around it; use image=roi or leave both out",
    ),
    (
        lambda c: c.image.name is ImageVariant.roi and None not in (c.image.context, c.image.window_px),
        "image.context={config.image.context} with image.window_px={config.image.window_px}: two sides of one window; "
        "leave one of them out",
    ),
    (
        lambda c: c.image.name is not ImageVariant.roi and c.image.jitter_fraction > 0,
        "image.jitter_fraction={config.image.jitter_fraction}: image={config.image.name} has no window that could move "
        "around an ROI; use image=roi or leave it out",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.image.jitter_fraction > 0,
        "image.jitter_fraction={config.image.jitter_fraction}: features of a frozen backbone (model.trainable=head) "
        "are computed once, nothing moves; use model.trainable=all",
    ),
    (
        lambda c: (c.view.name == "pair") != (c.view.fusion is not None),
        "view.fusion={config.view.fusion}: with view={config.view.name}; view=pair takes one of concatenation, mean "
        "and attention, every other view null",
    ),
    (
        lambda c: c.view.fusion is not None and c.image.name is not ImageVariant.full,
        "view=pair with image={config.image.name}: numbers of abnormalities are not stable across views, so patches of "
        "two views cannot be told to show one abnormality; use image=full, or view=both",
    ),
    (
        lambda c: c.view.fusion is Fusion.attention and c.model.trainable is Trainable.head,
        "view.fusion=attention with model.trainable=head: what weighs the views could not learn; use "
        "view.fusion=concatenation or mean, or model.trainable=all",
    ),
    (
        lambda c: c.view.fusion is not None and c.augment.mixup_alpha > 0,
        "augment.mixup_alpha={config.augment.mixup_alpha}: with view=pair a missing view would be blended with one "
        "that is there; use augment.mixup_alpha=0, or view=both",
    ),
    (
        lambda c: c.source.name is SourceName.cbis_ddsm and c.source.root is None,
        "source.root is not set: give source.root=<folder of the download>, or set the environment's CBIS_DDSM_ROOT",
    ),
    *LEARNING_COMBINATIONS,
    *TABLE_COMBINATIONS,
)
