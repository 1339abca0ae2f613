"""LossConfig -> f(logits, targets). Targets are 0 or 1, float32 (batch,)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from mammoscope.config import LossConfig
from mammoscope.vocabulary import LossName

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def build_loss(loss: LossConfig, train_targets: Sequence[int], share: np.ndarray) -> Loss:
    """`train_targets` give bce its weight of the positive class unless the config does.

    share: how often an epoch shows each sample, so that what sampling has balanced is not weighed a second time.
    """
    if loss.name is LossName.cross_entropy:
        return lambda logits, targets: functional.cross_entropy(
            logits.float(), targets.long(), label_smoothing=loss.smoothing
        )
    positives = float(share @ np.asarray(train_targets))
    weight = loss.pos_weight if loss.pos_weight is not None else (float(share.sum()) - positives) / positives

    def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        smooth = targets * (1 - loss.smoothing) + loss.smoothing / 2
        pos_weight = torch.as_tensor(weight, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits[:, 0].float(), smooth, pos_weight=pos_weight)

    return bce
