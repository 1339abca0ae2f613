"""The only door to albumentations. Operations here are exact on floats: none goes through 8 bits (tested)."""

import os
import random
from typing import Any

import numpy as np

from mammoscope.config import AugmentConfig

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it calls out when imported
import albumentations as A
import cv2


class Augment:
    """Moves an image and its ROI together. Final.

    The result depends on the arguments alone, so a sample is reproducible from (seed, epoch, index, repeat) whatever
    the number of loader processes.
    """

    def __init__(self, augment: AugmentConfig):
        self._transform = A.Compose(_operations(augment))

    def __call__(self, image: np.ndarray, mask: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """image float32 (h, w) in [0, 1], which brightness may leave; mask bool (h, w) or None."""
        # one stream for all operations: set_random_seed gives each a stream of its own from the one seed, so that all
        # draw the same number, and an image is flipped both ways or not at all
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        if mask is None:
            return self._transform(image=image)["image"], None
        out = self._transform(image=image, mask=mask.astype(np.uint8))
        return out["image"], out["mask"] > 0


class _BrightnessContrast(A.RandomBrightnessContrast):
    """In one pass over float32, where the original makes six over float64."""

    def apply(self, img: np.ndarray, alpha: float, beta: float, **params: Any) -> np.ndarray:
        changed: np.ndarray = cv2.addWeighted(img, alpha, img, 0, beta)
        return changed


def build_augment(augment: AugmentConfig) -> Augment | None:
    """None for `augment=none`."""
    return None if augment.name == "none" else Augment(augment)


def _operations(augment: AugmentConfig) -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(p=augment.flip_horizontal),
        A.VerticalFlip(p=augment.flip_vertical),
        A.Affine(
            rotate=(-augment.rotate_deg, augment.rotate_deg),
            scale=(1 - augment.scale_fraction, 1 + augment.scale_fraction),
            translate_percent=(-augment.translate_fraction, augment.translate_fraction),
            interpolation=cv2.INTER_LINEAR,
            mask_interpolation=cv2.INTER_NEAREST,
            border_mode=cv2.BORDER_CONSTANT,
            fill=0,
            p=1.0,
        ),
        _BrightnessContrast(
            brightness_limit=augment.brightness_fraction, contrast_limit=augment.contrast_fraction, p=1.0
        ),
    ]
