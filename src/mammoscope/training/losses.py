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

    focal takes the weights of the one that suits the number of classes, and is that one at gamma=0.

    share: how often an epoch shows each sample, so that what sampling has balanced is not weighed a second time.
    """
    if loss.name is LossName.cross_entropy:
        return _cross_entropy(loss.smoothing, class_weights(train_targets, share, classes))
    if loss.name is LossName.focal:
        return _focal(loss, train_targets, share, classes)
    assert classes == 2, "checks refuse bce for more classes"
    weight = loss.pos_weight if loss.pos_weight is not None else _pos_weight(train_targets, share)

    def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        smooth = targets * (1 - loss.smoothing) + loss.smoothing / 2
        pos_weight = torch.as_tensor(weight, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits[:, 0].float(), smooth, pos_weight=pos_weight)

    return bce


def _pos_weight(train_targets: Sequence[int], share: np.ndarray) -> float:
    """Negatives / positives as an epoch shows them."""
    positives = float(share @ np.asarray(train_targets))
    return (float(share.sum()) - positives) / positives


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


def _focal(loss: LossConfig, train_targets: Sequence[int], share: np.ndarray, classes: int) -> Loss:
    """(1 - p)^gamma x cross-entropy, p the probability of the sample's own class: Lin et al. 2017, arXiv 1708.02002."""
    assert loss.gamma is not None, "checks ask for it"
    if classes > 2:
        return _many_focal(loss.gamma, class_weights(train_targets, share, classes))
    alpha = loss.alpha
    return _two_focal(loss.gamma, (_pos_weight(train_targets, share), 1.0) if alpha is None else (alpha, 1 - alpha))


def _two_focal(gamma: float, weights: tuple[float, float]) -> Loss:
    """weights: of the positive class and of the other."""

    def focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        told = logits[:, 0].float()
        entropy = functional.binary_cross_entropy_with_logits(told, targets, reduction="none")
        weight = targets * weights[0] + (1 - targets) * weights[1]
        return (weight * _missed(entropy, gamma) * entropy).mean()

    return focal


def _many_focal(gamma: float, weights: torch.Tensor | None) -> Loss:
    """The mean is over the weights, as cross_entropy has it."""

    def focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        classes = targets.long()
        entropy = functional.cross_entropy(logits.float(), classes, reduction="none")
        weight = torch.ones_like(entropy) if weights is None else weights.to(logits.device)[classes]
        return (weight * _missed(entropy, gamma) * entropy).sum() / weight.sum()

    return focal


def _missed(entropy: torch.Tensor, gamma: float) -> torch.Tensor:
    """(1 - p)^gamma of p = exp(-entropy), by expm1: 1 - p of a p that rounds to 1 would lose all its digits.

    At exactly 0 the slope of x^gamma is infinite for gamma < 1, and infinity x 0 would be NaN.
    """
    return (-torch.expm1(-entropy)).clamp_min(torch.finfo(entropy.dtype).tiny).pow(gamma)
