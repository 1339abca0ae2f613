"""How fast batches come: from the prepared store, from a 16-bit PNG an image, and from memory. `--quick` for trying.

Content: parenchyma of the phantom (1/f^3 noise) with film grain, 512 px, uint16. All are counted on the uint16 batches
that are handed over, of the same size and with the same number of workers; a round runs each for one epoch, and ratios
are taken within rounds. The first round, in which caches and workers warm up, does not count.

Targets: without augmentation at least 20x PNG, with it at least 3x, and 0.9 of memory.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from mammoscope.config import AugmentConfig, ImageConfig, LossConfig, ModelConfig, TargetConfig
from mammoscope.data.augment import A, build_augment
from mammoscope.data.batches import Batches, SampleImages, into_uint16, to_inputs
from mammoscope.data.draws import Draws
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.data.store import PreparedStore, StoreRow, finish_store, open_store, write_shard
from mammoscope.models.classifier import build_classifier
from mammoscope.phantom.texture import draw_fields
from mammoscope.records import Sample, StoredImage
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, Laterality, LossName, Partition, TargetPolicy, View

SIDE_PX, SHARD_ROWS, BATCH = 512, 64, 16
AUGMENT = AugmentConfig(
    name="default",
    flip_horizontal=0.5,
    flip_vertical=0.5,
    rotate_deg=25,
    scale_fraction=0.2,
    translate_fraction=0.05,
    brightness_fraction=0.1,
    contrast_fraction=0.1,
)


def draw_images(count: int) -> np.ndarray:
    """uint16 (count, SIDE_PX, SIDE_PX)."""
    rng = np.random.default_rng(0)
    images = np.empty((count, SIDE_PX, SIDE_PX), np.uint16)
    for number in range(0, count, 2):
        for image, field in zip(images[number:], draw_fields(rng, (SIDE_PX, SIDE_PX)), strict=False):
            grain = rng.standard_normal(field.shape, dtype=np.float32)
            image[:] = np.clip(0.45 + 0.12 * field + 0.004 * grain, 0, 1) * FULL_SCALE
    return images


def write_store(folder: Path, images: np.ndarray) -> PreparedStore:
    folder.mkdir(parents=True)
    shards = [images[start : start + SHARD_ROWS] for start in range(0, len(images), SHARD_ROWS)]
    for number, shard in enumerate(shards):
        rows = [_row(number * SHARD_ROWS + place, number, place) for place in range(len(shard))]
        write_shard(folder, number, shard, np.zeros(shard.shape, bool), rows, [])
    finish_store(folder, len(shards), SIDE_PX)
    store = open_store(folder)
    assert store is not None
    return store


def _row(number: int, shard: int, place: int) -> StoreRow:
    return StoreRow(
        id=f"s{number}",
        mammogram=f"m{number}",
        film=f"{number:032x}",
        shard=shard,
        row=place,
        mirrored=False,
        chest_wall_agrees=True,
        enlarged=1.0,
        top_px=0,
        left_px=0,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
    )


def a_sample(number: int, store: str) -> Sample:
    return Sample(
        id=f"s{number}",
        patient=f"P_{number:05d}",
        laterality=Laterality.left,
        views=(View.CC,),
        kinds=(AbnormalityKind.mass,),
        films=(f"{number:032x}",),
        published=Partition.train,
        target=number % 2,
        malignant=number % 2,
        abnormalities=(f"s{number}",),
        density=2,
        images=(StoredImage(store, number),),
    )


def ours(store: PreparedStore, *, augmented: bool, workers: int, batch: int = BATCH) -> Batches:
    samples = [a_sample(number, store.name) for number in range(len(store.rows))]
    images = SampleImages(samples, {store.name: store}, build_augment(AUGMENT) if augmented else None, seed=0)
    return Batches(images, batch, Draws([0] * len(samples), seed=0), workers=workers, pin=False)


class PngImages(Dataset[torch.Tensor]):
    """As it is usually written: a file an image, torch's own collation."""

    def __init__(self, paths: Sequence[Path], change: Callable[[np.ndarray], np.ndarray]):
        self._paths, self._change = paths, change

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = cv2.imread(str(self._paths[index]), cv2.IMREAD_UNCHANGED)
        assert image is not None
        return torch.from_numpy(self._change(image)).unsqueeze(0)


class AsItIs:
    def __call__(self, image: np.ndarray) -> np.ndarray:
        return image


class OurAugment:
    """The same augmentation as ours, so that only reading and handing over differ."""

    def __init__(self) -> None:
        augment = build_augment(AUGMENT)
        assert augment is not None
        self._augment = augment

    def __call__(self, image: np.ndarray) -> np.ndarray:
        out = np.empty_like(image)
        moved, _ = self._augment(np.divide(image, FULL_SCALE, dtype=np.float32), None, seed=int(image[0, 0]))
        into_uint16(moved, out)
        return out


class TheirAugment:
    """The same operations as albumentations makes them."""

    def __init__(self) -> None:
        brightness = A.RandomBrightnessContrast(AUGMENT.brightness_fraction, AUGMENT.contrast_fraction, p=1.0)
        affine = A.Affine(rotate=(-25, 25), scale=(0.8, 1.2), translate_percent=(-0.05, 0.05), p=1.0)
        self._transform = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), affine, brightness])

    def __call__(self, image: np.ndarray) -> np.ndarray:
        moved = self._transform(image=image.astype(np.float32) / FULL_SCALE)["image"]
        return np.rint(moved * FULL_SCALE).astype(np.uint16)


class InOrderOfDraws(Sampler[int]):
    def __init__(self, draws: Draws):
        self._draws, self._number = draws, 0

    def __iter__(self) -> Iterator[int]:
        self._number += 1
        return iter(self._draws.epoch(self._number).tolist())

    def __len__(self) -> int:
        return len(self._draws)


def from_pngs(paths: Sequence[Path], change: Callable[[np.ndarray], np.ndarray], workers: int) -> DataLoader:
    draws = InOrderOfDraws(Draws([0] * len(paths), seed=0))
    persist = workers > 0
    return DataLoader(PngImages(paths, change), BATCH, sampler=draws, num_workers=workers, persistent_workers=persist)


def milliseconds(batches: Iterable[object], images: int) -> float:
    """A sample, of one epoch."""
    started = time.perf_counter()
    for _ in batches:
        pass
    return (time.perf_counter() - started) / images * 1e3


def compare(title: str, epochs: dict[str, Callable[[int], Iterable[object]]], images: int, rounds: int) -> None:
    """The first named is measured against all others."""
    first, names = next(iter(epochs)), list(epochs)
    found = []
    for n in range(rounds + 1):
        start = n % len(names)  # whoever comes after PNG finds the caches cold: each does in its turn
        found.append({name: milliseconds(epochs[name](n), images) for name in names[start:] + names[:start]})
    found = found[1:]
    print(f"\n{title}")
    for name in epochs:
        ratio = statistics.median(times[name] / times[first] for times in found)
        print(f"  {name:42} {statistics.median(times[name] for times in found):7.3f} ms a sample {ratio:7.2f}x")


def compare_with(workers: int, store: PreparedStore, pngs: Sequence[Path], rounds: int) -> None:
    memory = replace(store, shards=tuple(np.array(shard) for shard in store.shards))
    plain, moved = (ours(store, augmented=augmented, workers=workers) for augmented in (False, True))
    plain_there, moved_there = (ours(memory, augmented=augmented, workers=workers) for augmented in (False, True))
    as_it_is, same, theirs = (from_pngs(pngs, change, workers) for change in (AsItIs(), OurAugment(), TheirAugment()))
    count = len(pngs)
    compare(
        f"as prepared, {workers} workers (targets: PNG at least 20x, memory at least 0.9x)",
        {"store": plain.epoch, "memory": plain_there.epoch, "PNG": lambda _: as_it_is},
        count,
        rounds,
    )
    compare(
        f"augmented, {workers} workers (targets: PNG at least 3x, memory at least 0.9x)",
        {
            "store": moved.epoch,
            "memory": moved_there.epoch,
            "PNG, augmented by our own code": lambda _: same,
            "PNG, augmented by albumentations alone": lambda _: theirs,
        },
        count,
        rounds,
    )


def say_waiting(store: PreparedStore, steps: int) -> None:
    """Which share of a training step on this CPU is spent waiting for data, the loader being in the same process."""
    name, size = "efficientnet_lite0", ImageConfig(name=ImageVariant.roi, height_px=SIDE_PX, width_px=SIDE_PX)
    model = ModelConfig(name=name, backbone=f"tf_{name}", weights="none")
    network, _ = build_classifier(
        model, size, LossConfig(name=LossName.bce), TargetConfig(name=TargetPolicy.malignancy)
    )
    batches = ours(store, augmented=True, workers=0, batch=4).epoch(0)
    waited_s, started = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - asked
        network(to_inputs(batch.images, torch.device("cpu"))).square().mean().backward()
    whole_s = time.perf_counter() - started
    print(f"\n{name}, {SIDE_PX} px, batch 4, CPU, 0 workers: {whole_s / steps:.2f} s a step,")
    print(f"  of which waiting for augmented data {100 * waited_s / whole_s:.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 images and 2 rounds in place of 400 and 7")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        images = draw_images(64 if quick else 400)
        store = write_store(Path(folder) / "store" / "mass-CC", images)
        pngs = [Path(folder) / f"{number:04d}.png" for number in range(len(images))]
        for path, image in zip(pngs, images, strict=True):
            cv2.imwrite(str(path), image)
        for workers in (0, 2):
            compare_with(workers, store, pngs, rounds=2 if quick else 7)
        say_waiting(store, steps=2 if quick else 6)


if __name__ == "__main__":
    main()
