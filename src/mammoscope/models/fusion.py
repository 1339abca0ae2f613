"""view=pair: the features of a breast's views, made into one. Whichever way, it starts as the mean of the views.

model.scales: those of one image, looked at up close and from afar.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mammoscope.vocabulary import Fusion


class ViewFusion(nn.Module):
    """features (batch, views, features), there (batch, views) bool -> what `head` takes. Final.

    A view that is missing comes with the features of the other one (see `with_missing_filled`), so that every fusion
    begins as the mean of the views that are there: of their features, hence of their logits.
    """

    def __init__(self, fusion: Fusion, views: int, head: nn.Linear):
        """head: the last layer of the backbone, which the views were to share."""
        super().__init__()
        self.kind = fusion
        self.head = head
        if fusion is Fusion.concatenation:
            self.head = _side_by_side(head, views)
            self.absent = nn.Parameter(torch.zeros(views, head.in_features))  # what it means that a view is missing
        if fusion is Fusion.attention:
            self.attention = nn.Linear(head.in_features, 1, bias=False)
            nn.init.zeros_(self.attention.weight)

    def forward(self, features: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """(batch, features); of a concatenation (batch, views x features)."""
        if self.kind is Fusion.concatenation:
            return torch.where(there[..., None], features, features + self.absent).flatten(1)
        if self.kind is Fusion.mean:
            return features.mean(dim=1)
        weights = self.attention(features).masked_fill(~there[..., None], -torch.inf).softmax(dim=1)
        return (weights * features).sum(dim=1)


def with_missing_filled(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """images (batch, views, height, width), 0 all over where a view is missing -> the same with the breast's other view
    in its place, and which are there, bool (batch, views).

    Batch norm then never sees a black image, and the number of images does not depend on what is missing: to pick those
    that are there would make the host wait for the device at every step.
    """
    there = images.flatten(2).amax(dim=2) > 0
    return torch.where(there[..., None, None], images, images.amax(dim=1, keepdim=True)), there


def at_scales(images: torch.Tensor, scales: Sequence[float]) -> torch.Tensor:
    """images (batch, 1, height, width) -> (batch, scales, h, w), of each scale what lies around the centre.

    scales: fractions of the sides, in (0, 1]. All are brought to the size of the smallest, which so keeps its pixels.
    """
    height, width = images.shape[-2:]
    sizes = [(round(scale * height), round(scale * width)) for scale in scales]
    looks = []
    for rows, columns in sizes:
        top, left = (height - rows) // 2, (width - columns) // 2
        look = images[..., top : top + rows, left : left + columns]
        looks.append(look if (rows, columns) == min(sizes) else _resized(look, min(sizes)))
    return torch.cat(looks, dim=1)


def _resized(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


@torch.no_grad()
def _side_by_side(head: nn.Linear, views: int) -> nn.Linear:
    """A layer on all views' features that gives the mean of what `head` gives to each."""
    wide = nn.Linear(views * head.in_features, head.out_features)
    wide.weight.copy_(head.weight.repeat(1, views) / views)
    nn.init.zeros_(wide.bias)
    if head.bias is not None:
        wide.bias.copy_(head.bias)
    return wide
