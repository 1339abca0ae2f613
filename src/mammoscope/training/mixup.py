"""Mixup (Zhang et al. 2018): a batch's images are blended with one another, and their losses in the same shares."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Mixed:
    inputs: torch.Tensor  # as they came in
    others: torch.Tensor  # int64 (batch,): whose image was blended into each
    share: float  # of an input's own image, in [0.5, 1]


@dataclass(frozen=True, slots=True)
class Mixup:
    """Drawn anew for each batch, from its place in the training alone: a run that is gone on with draws the same."""

    alpha: float  # of Beta(alpha, alpha): 0.2 mixes a little, 1 takes any share
    seed: int

    def mix(self, inputs: torch.Tensor, epoch: int, step: int, place: int) -> Mixed:
        """inputs: (batch, ...) of one scale; blending film with film keeps them in the range of films."""
        # the closing 2 keeps these seeds apart from those of the draws: numpy pads with zeros
        rng = np.random.default_rng([self.seed, epoch, step, place, 2])
        share = float(rng.beta(self.alpha, self.alpha))
        share = max(share, 1 - share)  # the larger one: an image stays more itself than another's
        others = torch.from_numpy(rng.permutation(len(inputs))).to(inputs.device)
        return Mixed(torch.lerp(inputs[others], inputs, share), others, share)
