"""Samples -> batches of uint16 images; they become floats on the device, so that half the bytes travel."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from mammoscope.config import AugmentConfig
from mammoscope.data.augment import Augment, build_augment
from mammoscope.data.draws import ALONE, Draws, EpochBatches, Pick, Share
from mammoscope.data.frame import CENTRE
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.data.store import PreparedStore
from mammoscope.data.workers import Workers
from mammoscope.processes import keep_freed_memory
from mammoscope.records import Sample


@dataclass(frozen=True, slots=True)
class Batch:
    # uint16 (batch, views, height, width), 0 where a view is missing; float32 (batch, features) for a frozen backbone
    images: torch.Tensor
    targets: torch.Tensor  # float32 (batch,)
    indices: torch.Tensor  # int64 (batch,): into the partition's samples
    of: int | None = None  # samples of the whole batch, where processes share it


def to_inputs(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What a network takes, on the device: uint16 images become float32 in [0, 1]; features stay what they are."""
    images = images.to(device, non_blocking=True)
    return images.to(torch.float32).div_(FULL_SCALE) if images.dtype is torch.uint16 else images


class SampleImages:
    """Images of one partition, cut a batch at a time from the memory maps. Final."""

    def __init__(
        self,
        samples: Sequence[Sample],
        stores: Mapping[str, PreparedStore],
        augment: Augment | None,
        seed: int,
        *,
        moves: bool = False,
    ):
        """moves: shows windows that were moved at random within what the store keeps around them, not their centre."""
        self._samples, self._stores, self._augment, self._seed = tuple(samples), dict(stores), augment, seed
        self._moves = moves
        self._targets = torch.tensor([sample.target for sample in samples], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def is_augmented(self) -> bool:
        return self._augment is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample as a network takes it: (views, height, width)."""
        frame = next(iter(self._stores.values())).frame
        return (len(self._samples[0].images), frame.height_px, frame.width_px)

    def fill(self, images: np.ndarray, picks: Sequence[Pick]) -> None:
        """Writes the picked images into uint16 (picks, views, height, width)."""
        for views, pick in zip(images, picks, strict=True):
            for view, image in enumerate(views):
                self._show(pick, view, image, with_mask=False)

    def batch(self, images: torch.Tensor, picks: Sequence[Pick], of: int) -> Batch:
        indices = torch.tensor([pick.sample for pick in picks], dtype=torch.int64)
        return Batch(images, self._targets[indices], indices, of)

    def look(self, pick: Pick, *, with_mask: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """One sample as the network sees it, uint16 (h, w), and its ROI moved with it, bool (h, w), where asked for.

        The views of a breast lie side by side.
        """
        images = np.empty(self.shape, np.uint16)
        masks = [self._show(pick, view, image, with_mask=with_mask) for view, image in enumerate(images)]
        shown = [np.zeros(self.shape[1:], bool) if mask is None else mask for mask in masks]
        return np.concatenate(images, axis=1), np.concatenate(shown, axis=1) if with_mask else None

    def _show(self, pick: Pick, view: int, image: np.ndarray, *, with_mask: bool) -> np.ndarray | None:
        """Writes one view into uint16 (height, width), without a copy in between where nothing is augmented."""
        place = self._samples[pick.sample].images[view]
        if place is None:
            image[:] = 0
            return None
        store, seed = self._stores[place.store], _view_seed(self._seed, pick, view)
        shift = store.frame.drawn_shift(seed) if self._moves else CENTRE
        stored, mask = store.image(place.row, shift), store.mask(place.row, shift) if with_mask else None
        if self._augment is None:
            image[:] = stored
            return mask
        floats = np.divide(stored, FULL_SCALE, dtype=np.float32)
        moved, mask = self._augment(floats, mask, seed)
        into_uint16(moved, image)
        return mask


def into_uint16(floats: np.ndarray, out: np.ndarray) -> None:
    """Rounds [0, 1] to [0, FULL_SCALE]; what lies beyond becomes the nearest end. One pass, where numpy needs four."""
    cv2.addWeighted(floats, FULL_SCALE, floats, 0, 0, dst=out, dtype=cv2.CV_16U)


def _view_seed(seed: int, pick: Pick, view: int) -> int:
    """Each view of a breast moves by itself."""
    text = f"{seed}/{pick.epoch}/{pick.sample}"
    if pick.repeat:
        text += f"/{pick.repeat}"
    if view:
        text += f"/view{view}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


class Batches:
    """What the loop iterates: `for batch in batches.epoch(3)`. Final.

    Worker processes, where there are any, augment and persist over the epochs. What is not augmented is read in this
    process: a copy out of the page cache takes less time than it takes to hand an image over.
    """

    def __init__(
        self,
        images: SampleImages,
        batch_size: int,
        draws: Draws | None,
        *,
        workers: int,
        pin: bool,
        share: Share = ALONE,
    ):
        """draws: what each epoch shows, of training; None: every sample in its order. pin: in page-locked memory.

        share: the part of each batch that this process reads.
        """
        keep_freed_memory()
        self.images, self._pin = images, pin
        self._batches = EpochBatches(len(images), batch_size, draws, share)
        helped = workers > 0 and images.is_augmented
        self._workers = Workers(images.fill, self._batches, images.shape, workers) if helped else None

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def samples(self) -> int:
        return len(self.images)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """start: the batch that an epoch is gone on with."""
        return self._here(number, start) if self._workers is None else self._from_workers(self._workers, number, start)

    def _here(self, number: int, start: int) -> Iterator[Batch]:
        for batch, picks in enumerate(self._batches.epoch(number, start), start):
            images = self._empty(len(picks))
            self.images.fill(images.numpy(), picks)
            yield self.images.batch(images, picks, self._batches.size(batch))

    def _from_workers(self, workers: Workers, number: int, start: int) -> Iterator[Batch]:
        for batch, (shared, picks) in enumerate(workers.epoch(number, start), start):
            yield self.images.batch(self._empty(len(picks)).copy_(shared), picks, self._batches.size(batch))

    def _empty(self, images: int) -> torch.Tensor:
        return torch.empty((images, *self.images.shape), dtype=torch.uint16, pin_memory=self._pin)


def train_batches(
    samples: Sequence[Sample],
    stores: Mapping[str, PreparedStore],
    augment: AugmentConfig,
    draws: Draws,
    *,
    batch_size: int,
    workers: int,
    seed: int,
    pin: bool,
    share: Share = ALONE,
) -> Batches:
    """Drawn, moved and augmented."""
    images = SampleImages(samples, stores, build_augment(augment), seed, moves=True)
    return Batches(images, batch_size, draws, workers=workers, pin=pin, share=share)


def plain_batches(
    samples: Sequence[Sample],
    stores: Mapping[str, PreparedStore],
    *,
    batch_size: int,
    pin: bool,
    share: Share = ALONE,
) -> Batches:
    """In order, as prepared: for validation, test and frozen features."""
    return Batches(SampleImages(samples, stores, None, 0), batch_size, None, workers=0, pin=pin, share=share)
