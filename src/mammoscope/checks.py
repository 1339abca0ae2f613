"""Values and combinations that make no sense, refused before anything runs, each with its reason."""

from collections.abc import Callable

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import ImageVariant, LossName, SourceName, Trainable


def check_config(config: TrainConfig) -> None:
    """Raises MammoscopeError naming key, value and what is allowed."""
    for key, is_allowed, allowed in _RANGES:
        value = _value(config, key)
        if value is not None and not is_allowed(value):
            raise MammoscopeError(f"{key}={value}: allowed: {allowed}")
    for makes_no_sense, reason in _COMBINATIONS:
        if makes_no_sense(config):
            raise MammoscopeError(reason.format(config=config))


def _value(config: TrainConfig, key: str) -> float | None:
    group, _, field = key.rpartition(".")
    return getattr(getattr(config, group) if group else config, field)


def _at_least(low: float) -> Callable[[float], bool]:
    return lambda value: value >= low


def _in_unit(value: float) -> bool:
    return 0 <= value <= 1


_RANGES: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("seed", _at_least(0), "0 or more"),
    ("split.seed", _at_least(0), "0 or more"),
    ("split.validation_fraction", lambda v: 0 < v < 1, "between 0 and 1, both excluded"),
    ("store.workers", _at_least(0), "0 (a process a core) or more"),
    ("image.height_px", _at_least(16), "16 or more"),
    ("image.width_px", _at_least(16), "16 or more"),
    ("image.context", lambda v: 1 <= v <= 20, "1 (the ROI's box itself) to 20"),
    ("model.drop_rate", lambda v: 0 <= v < 1, "0 to below 1"),
    ("model.drop_path_rate", lambda v: 0 <= v < 1, "0 to below 1"),
    ("loss.pos_weight", lambda v: v > 0, "above 0, or null"),
    ("loss.smoothing", lambda v: 0 <= v < 1, "0 to below 1"),
    ("optimizer.lr", lambda v: v > 0, "above 0"),
    ("optimizer.weight_decay", _at_least(0), "0 or more"),
    ("schedule.warmup_epochs", _at_least(0), "0 or more"),
    ("schedule.final_lr_fraction", _in_unit, "0 to 1"),
    ("trainer.epochs", _at_least(1), "1 or more"),
    ("trainer.batch_size", _at_least(2), "2 or more"),
    ("trainer.workers", _at_least(0), "0 or more, or null"),
    ("trainer.clip_norm", lambda v: v > 0, "above 0, or null"),
    ("trainer.patience_epochs", _at_least(1), "1 or more, or null"),
    ("augment.flip_horizontal", _in_unit, "0 to 1"),
    ("augment.flip_vertical", _in_unit, "0 to 1"),
    ("augment.rotate_deg", lambda v: 0 <= v <= 180, "0 to 180"),
    ("augment.scale_fraction", lambda v: 0 <= v < 1, "0 to below 1"),
    ("augment.translate_fraction", lambda v: 0 <= v < 1, "0 to below 1"),
    ("augment.brightness_fraction", _in_unit, "0 to 1"),
    ("augment.contrast_fraction", _in_unit, "0 to 1"),
)

_COMBINATIONS: tuple[tuple[Callable[[TrainConfig], bool], str], ...] = (
    (
        lambda c: not c.data.kinds or len(set(c.data.kinds)) < len(c.data.kinds),
        "data.kinds={config.data.kinds}: each of mass and calc at most once, and one at least; data=mass|calc|all",
    ),
    (
        lambda c: not c.view.views or len(set(c.view.views)) < len(c.view.views),
        "view.views={config.view.views}: each of CC and MLO at most once, and one at least; choose view=cc|mlo|both",
    ),
    (
        lambda c: c.image.name is ImageVariant.full and c.image.context is not None,
        "image.context={config.image.context}: image=full shows whole breasts, there is no box to take a context of; "
        "use image=roi or leave image.context out",
    ),
    (
        lambda c: c.image.name is ImageVariant.roi and c.image.context is None,
        "image.context=null: image=roi needs the side of its window in longer sides of the ROI's box; allowed: 1 to 20",
    ),
    (
        lambda c: c.loss.name is LossName.cross_entropy and c.loss.pos_weight is not None,
        "loss.pos_weight={config.loss.pos_weight}: cross_entropy has no positive class to weigh; use loss=bce",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.model.weights == "none",
        "model.weights=none with model.trainable=head: features of a random, frozen backbone say nothing; "
        "use model.weights=auto or model.trainable=all",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.model.drop_path_rate > 0,
        "model.drop_path_rate={config.model.drop_path_rate}: a frozen backbone (model.trainable=head) drops no paths; "
        "use model.trainable=all",
    ),
    (
        lambda c: c.source.name is SourceName.cbis_ddsm and c.source.root is None,
        "source.root is not set: give source.root=<folder of the download>, or set the environment's CBIS_DDSM_ROOT",
    ),
    (
        lambda c: c.schedule.warmup_epochs >= c.trainer.epochs and c.schedule.warmup_epochs > 1,
        "schedule.warmup_epochs={config.schedule.warmup_epochs}: with trainer.epochs={config.trainer.epochs} the "
        "learning rate would never come down; allowed: fewer than trainer.epochs",
    ),
)
