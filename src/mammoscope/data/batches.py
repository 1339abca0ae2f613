"""Samples -> batches of uint16 images; they become floats on the device, so that half the bytes travel."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from mammoscope.config import AugmentConfig
from mammoscope.data.augment import Augment, build_augment
from mammoscope.data.draws import Draws, EpochBatches, Pick
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.data.store import PreparedStore
from mammoscope.data.workers import Workers, keep_freed_memory
from mammoscope.records import Sample


@dataclass(frozen=True, slots=True)
class Batch:
    images: torch.Tensor  # uint16 (batch, 1, height, width); float32 (batch, features) for a frozen backbone
    targets: torch.Tensor  # float32 (batch,)
    indices: torch.Tensor  # int64 (batch,): into the partition's samples


def to_inputs(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What a network takes, on the device: uint16 images become float32 in [0, 1]; features stay what they are."""
    images = images.to(device, non_blocking=True)
    return images.to(torch.float32).div_(FULL_SCALE) if images.dtype is torch.uint16 else images


class SampleImages:
    """Images of one partition, cut a batch at a time from the memory maps. Final."""

    def __init__(
        self, samples: Sequence[Sample], stores: Mapping[str, PreparedStore], augment: Augment | None, seed: int
    ):
        self._samples, self._stores, self._augment, self._seed = tuple(samples), dict(stores), augment, seed
        self._targets = torch.tensor([sample.target for sample in samples], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def is_augmented(self) -> bool:
        return self._augment is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample as a network takes it: (1, height, width)."""
        return (1, *self._stored(0)[0].shape)

    def fill(self, images: np.ndarray, picks: Sequence[Pick]) -> None:
        """Writes the picked images into uint16 (picks, 1, height, width)."""
        for image, pick in zip(images, picks, strict=True):
            self._show(pick, image, with_mask=False)

    def batch(self, images: torch.Tensor, picks: Sequence[Pick]) -> Batch:
        indices = torch.tensor([pick.sample for pick in picks])
        return Batch(images, self._targets[indices], indices)

    def look(self, pick: Pick, *, with_mask: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """One image as the network sees it, uint16 (h, w), and its ROI moved with it, bool (h, w), where asked for."""
        image = np.empty(self.shape, np.uint16)
        mask = self._show(pick, image, with_mask=with_mask)
        return image[0], mask

    def _show(self, pick: Pick, image: np.ndarray, *, with_mask: bool) -> np.ndarray | None:
        """Writes one image into uint16 (1, height, width), without a copy in between where nothing is augmented."""
        stored, mask = self._stored(pick.sample, with_mask=with_mask)
        if self._augment is None:
            image[0] = stored
            return mask
        floats = np.divide(stored, FULL_SCALE, dtype=np.float32)
        moved, mask = self._augment(floats, mask, _sample_seed(self._seed, pick))
        into_uint16(moved, image[0])
        return mask

    def _stored(self, index: int, *, with_mask: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        (place,) = self._samples[index].images
        assert place is not None, "a sample of one view has its image"
        store = self._stores[place.store]
        return store.image(place.row), store.mask(place.row) if with_mask else None


def into_uint16(floats: np.ndarray, out: np.ndarray) -> None:
    """Rounds [0, 1] to [0, FULL_SCALE]; what lies beyond becomes the nearest end. One pass, where numpy needs four."""
    cv2.addWeighted(floats, FULL_SCALE, floats, 0, 0, dst=out, dtype=cv2.CV_16U)


def _sample_seed(seed: int, pick: Pick) -> int:
    first = f"{seed}/{pick.epoch}/{pick.sample}"
    text = f"{first}/{pick.repeat}" if pick.repeat else first
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


class Batches:
    """What the loop iterates: `for batch in batches.epoch(3)`. Final.

    Worker processes, where there are any, augment and persist over the epochs. What is not augmented is read in this
    process: a copy out of the page cache takes less time than it takes to hand an image over.
    """

    def __init__(self, images: SampleImages, batch_size: int, draws: Draws | None, *, workers: int, pin: bool):
        """draws: what each epoch shows, of training; None: every sample in its order. pin: in page-locked memory."""
        keep_freed_memory()
        self.images, self._pin = images, pin
        self._batches = EpochBatches(len(images), batch_size, draws)
        helped = workers > 0 and images.is_augmented
        self._workers = Workers(images.fill, self._batches, images.shape, workers) if helped else None

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def samples(self) -> int:
        return len(self.images)

    def epoch(self, number: int) -> Iterator[Batch]:
        return self._here(number) if self._workers is None else self._from_workers(self._workers, number)

    def _here(self, number: int) -> Iterator[Batch]:
        for picks in self._batches.epoch(number):
            images = self._empty(len(picks))
            self.images.fill(images.numpy(), picks)
            yield self.images.batch(images, picks)

    def _from_workers(self, workers: Workers, number: int) -> Iterator[Batch]:
        for shared, picks in workers.epoch(number):
            yield self.images.batch(self._empty(len(picks)).copy_(shared), picks)

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
) -> Batches:
    """Drawn and augmented."""
    images = SampleImages(samples, stores, build_augment(augment), seed)
    return Batches(images, batch_size, draws, workers=workers, pin=pin)


def plain_batches(
    samples: Sequence[Sample], stores: Mapping[str, PreparedStore], *, batch_size: int, pin: bool
) -> Batches:
    """In order, as prepared: for validation, test and frozen features."""
    return Batches(SampleImages(samples, stores, None, 0), batch_size, None, workers=0, pin=pin)
