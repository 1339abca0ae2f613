"""Samples -> batches of uint16 images; they become floats on the device, so that half the bytes travel."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from mammoscope.config import AugmentConfig
from mammoscope.data.augment import Augment, build_augment
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.data.store import PreparedStore
from mammoscope.records import Sample

Pick = tuple[int, int]  # (epoch, index): the epoch travels with the index, so that worker processes may persist


@dataclass(frozen=True, slots=True)
class Batch:
    images: torch.Tensor  # uint16 (batch, 1, height, width); float32 (batch, features) for a frozen backbone
    targets: torch.Tensor  # float32 (batch,)
    indices: torch.Tensor  # int64 (batch,): into the partition's samples

    def pin_memory(self) -> "Batch":
        return Batch(self.images.pin_memory(), self.targets.pin_memory(), self.indices.pin_memory())


def to_inputs(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What a network takes, on the device: uint16 images become float32 in [0, 1]; features stay what they are."""
    images = images.to(device, non_blocking=True)
    return images.to(torch.float32).div_(FULL_SCALE) if images.dtype is torch.uint16 else images


class SampleImages(Dataset[Batch]):
    """Images of one partition, gathered a batch at a time from the memory maps. Final."""

    def __init__(
        self, samples: Sequence[Sample], stores: Mapping[str, PreparedStore], augment: Augment | None, seed: int
    ):
        self._samples, self._stores, self._augment, self._seed = tuple(samples), dict(stores), augment, seed
        self.is_augmented = augment is not None
        self._targets = torch.tensor([sample.target for sample in samples], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitems__(self, picks: Sequence[Pick]) -> Batch:
        images = np.stack([self.look(pick)[0] for pick in picks])
        indices = torch.tensor([index for _, index in picks])
        return Batch(torch.from_numpy(images).unsqueeze(1), self._targets[indices], indices)

    def look(self, pick: Pick, *, with_mask: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """One image as the network sees it, uint16 (h, w), and its ROI moved with it, bool (h, w), where asked for."""
        epoch, index = pick
        (place,) = self._samples[index].images
        assert place is not None, "a sample of one view has its image"
        store = self._stores[place.store]
        image, mask = store.image(place.row), store.mask(place.row) if with_mask else None
        if self._augment is None:
            return image, mask
        floats = image.astype(np.float32) / FULL_SCALE
        moved, mask = self._augment(floats, mask, _sample_seed(self._seed, epoch, index))
        return np.rint(np.clip(moved, 0, 1) * FULL_SCALE).astype(np.uint16), mask


def _sample_seed(seed: int, epoch: int, index: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{epoch}/{index}".encode(), digest_size=4).digest())


class EpochBatches(Sampler[list[Pick]]):
    """Batches of picks. Shuffled by (seed, epoch); the last, smaller batch is kept unless it holds one sample only.

    A batch of one would stop batch norm in training; `shuffle=False` (evaluation) keeps every sample.
    """

    def __init__(self, samples: int, batch_size: int, *, shuffle: bool, seed: int):
        self._samples, self._batch_size, self._shuffle, self._seed = samples, batch_size, shuffle, seed
        self.epoch = 0

    def __iter__(self) -> Iterator[list[Pick]]:
        order = np.arange(self._samples)
        if self._shuffle:
            np.random.default_rng([self._seed, self.epoch]).shuffle(order)
        for start in range(0, len(self) * self._batch_size, self._batch_size):
            yield [(self.epoch, int(index)) for index in order[start : start + self._batch_size]]

    def __len__(self) -> int:
        full, rest = divmod(self._samples, self._batch_size)
        return full + (rest > 1 if self._shuffle and full else rest > 0)


class Batches:
    """What the loop iterates: `for batch in batches.epoch(3)`. Worker processes persist over the epochs. Final."""

    def __init__(self, images: SampleImages, batch_size: int, *, shuffle: bool, seed: int, workers: int, pin: bool):
        self._sampler = EpochBatches(len(images), batch_size, shuffle=shuffle, seed=seed)
        self.images = images
        self._loader = DataLoader(
            images,
            batch_sampler=self._sampler,
            collate_fn=_identity,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin,
            worker_init_fn=_one_thread,
        )

    def __len__(self) -> int:
        return len(self._sampler)

    @property
    def samples(self) -> int:
        return len(self.images)

    def epoch(self, number: int) -> Iterator[Batch]:
        self._sampler.epoch = number
        return iter(self._loader)


def _identity(batch: Any) -> Any:
    return batch


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)  # its pool of threads does not survive a fork


def train_batches(
    samples: Sequence[Sample],
    stores: Mapping[str, PreparedStore],
    augment: AugmentConfig,
    *,
    batch_size: int,
    workers: int,
    seed: int,
    pin: bool,
) -> Batches:
    """Shuffled and augmented."""
    images = SampleImages(samples, stores, build_augment(augment), seed)
    return Batches(images, batch_size, shuffle=True, seed=seed, workers=workers, pin=pin)


def plain_batches(
    samples: Sequence[Sample], stores: Mapping[str, PreparedStore], *, batch_size: int, workers: int, pin: bool
) -> Batches:
    """In order, as prepared: for validation, test and frozen features."""
    return Batches(SampleImages(samples, stores, None, 0), batch_size, shuffle=False, seed=0, workers=workers, pin=pin)
