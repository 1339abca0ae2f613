"""What losses, optimizers and networks cannot be told together, as rows of checks._COMBINATIONS."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.vocabulary import CLASSES, BatchNorm, Debug, HeadStart, KeptEpoch, LossName, Trainable


def _needs_weights(config: TrainConfig) -> bool:
    model = config.model
    is_probed, is_still = model.head_start is HeadStart.probe, model.batch_norm is BatchNorm.frozen
    return is_probed or is_still or model.frozen_stages > 0 or config.optimizer.frozen_epochs > 0


def _how_the_backbone_learns(config: TrainConfig) -> bool:
    optimizer = config.optimizer
    has_rates = optimizer.layer_decay is not None or optimizer.backbone_lr_factor != 1
    return has_rates or config.model.compile or _needs_weights(config)


def _are_scales(scales: Sequence[float]) -> bool:
    descend = all(wide > narrow for wide, narrow in pairwise(scales))
    return not scales or (2 <= len(scales) <= 8 and scales[0] <= 1 and scales[-1] > 0 and descend)


def _smallest_px(config: TrainConfig) -> int:
    return round(min([1.0, *config.model.scales]) * min(config.image.height_px, config.image.width_px))


def check_debug(config: TrainConfig) -> None:
    """Raises MammoscopeError that names the key, its value and what is allowed."""
    debug = config.debug
    if debug is None:
        return
    finds_rate = debug.name is Debug.lr_range
    low, high = debug.lr_from, debug.lr_to
    limits = (
        ("steps", debug.steps, 10 <= debug.steps <= 100_000, "10 to 100000"),
        (
            "log_loss",
            debug.log_loss,
            _fits(debug.log_loss, not finds_rate),
            "above 0, to 10, for debug=one_batch",
        ),
        ("lr_from", low, _fits(low, finds_rate), "above 0, to 10, for debug=lr_range"),
        ("lr_to", high, _fits(high, finds_rate), "above 0, to 10, for debug=lr_range"),
        ("lr_to", high, low is None or high is None or low < high, f"above debug.lr_from={low}"),
        (
            "folder",
            debug.folder,
            finds_rate == bool((debug.folder or "").strip()),
            "a folder, for debug=lr_range",
        ),
    )
    for key, value, fits, allowed in limits:
        if not fits:
            raise MammoscopeError(f"debug.{key}={value}: allowed: {allowed}")
    if debug.folder is not None and config.source.root is not None:
        refuse_inside(Path(config.source.root), Path(debug.folder), f"debug.folder={debug.folder}")


def _fits(value: float | None, is_asked: bool) -> bool:
    return (value is not None) == is_asked and (value is None or 0 < value <= 10)


LEARNING_COMBINATIONS: tuple[tuple[Callable[[TrainConfig], bool], str], ...] = (
    (
        lambda c: c.loss.name is LossName.bce and len(CLASSES[c.target.name]) > 2,
        "loss=bce: target={config.target.name} has more than two classes; use loss=cross_entropy, which it takes when "
        "no loss is named",
    ),
    (
        lambda c: c.loss.name is LossName.cross_entropy and c.loss.pos_weight is not None,
        "loss.pos_weight={config.loss.pos_weight}: cross_entropy has no positive class to weigh; use loss=bce",
    ),
    (
        lambda c: c.loss.name is LossName.focal and (c.loss.pos_weight is not None or c.loss.smoothing > 0),
        "loss.pos_weight={config.loss.pos_weight} loss.smoothing={config.loss.smoothing}: loss=focal weighs the "
        "classes by loss.alpha, and it passes over what is told well, which smoothing keeps from that; leave both out",
    ),
    (
        lambda c: (c.loss.name is LossName.focal) != (c.loss.gamma is not None),
        "loss.gamma={config.loss.gamma}: loss={config.loss.name}; loss=focal takes a number, every other null",
    ),
    (
        lambda c: c.loss.alpha is not None and (c.loss.name is not LossName.focal or len(CLASSES[c.target.name]) > 2),
        "loss.alpha={config.loss.alpha}: loss={config.loss.name} target={config.target.name}; it is the weight of "
        "malignant beside benign in loss=focal; allowed elsewhere: null",
    ),
    (
        lambda c: c.optimizer.layer_decay is not None and c.optimizer.backbone_lr_factor != 1,
        "optimizer.layer_decay={config.optimizer.layer_decay} with "
        "optimizer.backbone_lr_factor={config.optimizer.backbone_lr_factor}: two answers to how much slower the "
        "backbone learns than the head, layer by layer or all alike; leave one of them out",
    ),
    (
        lambda c: c.optimizer.frozen_epochs >= c.trainer.epochs,
        "optimizer.frozen_epochs={config.optimizer.frozen_epochs}: with trainer.epochs={config.trainer.epochs} the "
        "backbone would never learn; allowed: fewer than trainer.epochs, or model.trainable=head",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and _how_the_backbone_learns(c),
        "model.trainable=head: the backbone does not learn, so nothing says how; leave out optimizer.layer_decay, "
        "optimizer.backbone_lr_factor, optimizer.frozen_epochs, model.frozen_stages, model.batch_norm, "
        "model.head_start and model.compile",
    ),
    (
        lambda c: c.model.weights == "none" and _needs_weights(c),
        "model.weights=none: features of a random backbone say nothing and its batch norm knows no statistics; leave "
        "out optimizer.frozen_epochs, model.frozen_stages, model.batch_norm=frozen and model.head_start=probe, or use "
        "model.weights=auto",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.model.weights == "none",
        "model.weights=none with model.trainable=head: features of a random, frozen backbone say nothing; "
        "use model.weights=auto or model.trainable=all",
    ),
    (
        lambda c: c.trainer.kept_epoch is KeptEpoch.last and c.trainer.patience_epochs is not None,
        "trainer.kept_epoch=last with trainer.patience_epochs={config.trainer.patience_epochs}: patience waits for a "
        "better epoch than the best, and then the last would be a worse one; leave one of them out",
    ),
    (
        lambda c: not _are_scales(c.model.scales),
        "model.scales={config.model.scales}: allowed: none, or 2 to 8 fractions of the image's sides, in (0, 1], each "
        "smaller than the one before",
    ),
    (
        lambda c: _smallest_px(c) < 16,
        "model.scales={config.model.scales}: the last of image.height_px={config.image.height_px} "
        "image.width_px={config.image.width_px} has fewer than 16 px a side; allowed: a larger scale or image",
    ),
    (
        lambda c: bool(c.model.scales) and c.view.fusion is not None,
        "model.scales={config.model.scales} with view=pair: a breast's views are fused already; leave one of them out",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.model.drop_path_rate > 0,
        "model.drop_path_rate={config.model.drop_path_rate}: a frozen backbone (model.trainable=head) drops no paths; "
        "use model.trainable=all",
    ),
    (
        lambda c: c.model.trainable is Trainable.head and c.model.drop_rate > 0,
        "model.drop_rate={config.model.drop_rate}: features of a frozen backbone (model.trainable=head) are computed "
        "once, nothing is dropped; use model.trainable=all",
    ),
    (
        lambda c: c.debug is not None and c.resume is not None,
        "resume={config.resume} with debug={config.debug.name}: nothing is tracked, so nothing can be gone on with; "
        "leave one of them out",
    ),
    (
        lambda c: c.debug is not None and c.model.trainable is Trainable.head,
        "debug={config.debug.name} with model.trainable=head: a last layer on features that are computed once learns "
        "otherwise than a network; use model.trainable=all",
    ),
    (
        lambda c: c.schedule.warmup_epochs >= c.trainer.epochs and c.schedule.warmup_epochs > 1,
        "schedule.warmup_epochs={config.schedule.warmup_epochs}: with trainer.epochs={config.trainer.epochs} the "
        "whole run would be warm-up; allowed: fewer than trainer.epochs",
    ),
)
