"""LossConfig -> f(logits, targets). Targets are classes, float32 (batch,): 0 or 1 unless there are more than two."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from mammoscope.config import LossConfig
from mammoscope.vocabulary import LossName

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def build_loss(loss: LossConfig, train_targets: Sequence[int], share: np.ndarray, classes: int = 2) -> Loss:
    """`train_targets` weigh the classes: bce its positive one, unless the config does; cross_entropy all of many.

    share: how often an epoch shows each sample, so that what sampling has balanced is not weighed a second time.
    """
    if loss.name is LossName.cross_entropy:
        return _cross_entropy(loss.smoothing, class_weights(train_targets, share, classes))
    assert classes == 2, "checks refuse bce for more classes"
    positives = float(share @ np.asarray(train_targets))
    weight = loss.pos_weight if loss.pos_weight is not None else (float(share.sum()) - positives) / positives

    def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        smooth = targets * (1 - loss.smoothing) + loss.smoothing / 2
        pos_weight = torch.as_tensor(weight, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits[:, 0].float(), smooth, pos_weight=pos_weight)

    return bce


def class_weights(train_targets: Sequence[int], share: np.ndarray, classes: int) -> torch.Tensor | None:
    """Float32 (classes,): samples / (classes x samples of the class), so that every class weighs the same in all.

    None for two: cross_entropy leaves malignant and benign as they come, and bce is there to weigh them.
    """
    if classes == 2:
        return None
    shown = np.bincount(np.asarray(train_targets), weights=share, minlength=classes)
    assert (shown > 0).all(), "the certificate is refused where a class is absent"
    return torch.from_numpy(shown.sum() / (classes * shown)).float()


def _cross_entropy(smoothing: float, weights: torch.Tensor | None) -> Loss:
    def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        own = None if weights is None else weights.to(logits.device)
        return functional.cross_entropy(logits.float(), targets.long(), weight=own, label_smoothing=smoothing)

    return cross_entropy
