"""One film -> its prepared images: read once, hashed, its breast found, its masks confirmed, its images cut."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xxhash

from mammoscope.config import ImageConfig
from mammoscope.data.films import SourceFilm, read_mask, read_source_film
from mammoscope.data.normal_patches import NormalWork, no_normal_patches, normal_id, normal_windows
from mammoscope.data.preprocess import (
    Breast,
    Prepared,
    Window,
    find_breast,
    mask_box,
    prepare_full,
    prepare_patch,
    prepare_released,
    prepare_roi,
)
from mammoscope.data.store import StoreRow
from mammoscope.data.thumbnails import breast_thumbnail
from mammoscope.dicom.codes import CODES
from mammoscope.errors import DicomError, MammoscopeError, public_words
from mammoscope.records import Abnormality, Defect, Mammogram
from mammoscope.vocabulary import ImageVariant, Laterality, Trap

LOST_FRACTION = 0.01  # of a film's ROIs outside the image: from here on it is told
CROP_MARGIN_PX = 5  # the released crop is the mask's box and this much around it


@dataclass(frozen=True, slots=True)
class FilmWork:
    """One mammogram and those of its abnormalities whose masks are at hand."""

    mammogram: Mammogram
    abnormalities: tuple[Abnormality, ...]
    normal: NormalWork | None = None  # target=tissue: what else is cut from it


@dataclass(frozen=True, slots=True, eq=False)
class SeenFilm:
    """What is kept of every film that was read, whether an image was cut from it or not."""

    mammogram: str
    film: str  # hash_film
    thumbnail: np.ndarray  # breast_thumbnail


def prepare_film(
    source_root: Path, work: FilmWork, image: ImageConfig, defects: list[Defect], seen: list[SeenFilm]
) -> Iterator[tuple[Callable[[int, int], StoreRow], Prepared]]:
    """Reads one film and yields its images, each with its row but for the place in the store.

    Adds to `defects`, and the film to `seen`.
    """
    mammogram = work.mammogram
    assert mammogram.path is not None, "the plan names films that are there"
    film = read_source_film(source_root / mammogram.path)
    film_hash = hash_film(film.raw)
    breast = find_breast(film.grey)
    seen.append(SeenFilm(mammogram.key, film_hash, breast_thumbnail(film.grey, breast)))
    if image.name is ImageVariant.released_crop:
        for abnormality, cut in _released(source_root, work, breast, image, defects):
            yield _row(abnormality.key, mammogram, film_hash, breast, cut), cut
        return
    masks = list(confirmed_masks(source_root, work, film, defects))
    if image.name is ImageVariant.full:
        union = functools.reduce(np.logical_or, [mask for _, mask in masks]) if masks else None
        cut = prepare_full(film.grey, breast, union, image)
        if union is not None and (lost := _share_outside(union, cut.window)) > LOST_FRACTION:
            defects.append(
                Defect(
                    row=mammogram.key,
                    problem="roi_outside_breast",
                    found=f"{lost:.1%} of its ROIs lies outside the breast that was found",
                    taken_as="the breast that was found",
                    reason="a window that followed the ROIs would tell the network where they are",
                )
            )
        yield _row(mammogram.key, mammogram, film_hash, breast, cut), cut
        return
    for abnormality, mask in masks:
        cut = prepare_roi(film.grey, breast, mask, image)
        yield _row(abnormality.key, mammogram, film_hash, breast, cut), cut
    if work.normal is not None:
        others = list(confirmed_masks(source_root, FilmWork(mammogram, work.normal.others), film, []))
        if not work.normal.is_complete or len(masks) + len(others) < len(work.abnormalities) + len(work.normal.others):
            defects.append(no_normal_patches(mammogram))
            return
        rois = np.logical_or.reduce([mask for _, mask in (*masks, *others)])
        windows = normal_windows(breast, rois, image, work.normal.per_image, film_hash)
        for number, window in enumerate(windows, start=1):
            cut = prepare_patch(film.grey, breast, None, window, image)
            row = _row(normal_id(mammogram, number), mammogram, film_hash, breast, cut, is_normal=True)
            yield row, cut


def _released(
    source_root: Path, work: FilmWork, breast: Breast, image: ImageConfig, defects: list[Defect]
) -> Iterator[tuple[Abnormality, Prepared]]:
    """The crops as published, turned as their film is; those that cannot be read go into `defects`."""
    for abnormality in work.abnormalities:
        assert abnormality.crop_path is not None, "the plan names abnormalities with crops"
        try:
            crop = read_source_film(source_root / abnormality.crop_path)
        except MammoscopeError as error:
            defects.append(
                Defect(
                    row=abnormality.key,
                    problem="unusable_crop",
                    found=why_unusable(error),
                    taken_as="left out",
                    reason="its pixels cannot be used",
                )
            )
            continue
        white = 2**crop.bits_stored - 1
        yield abnormality, prepare_released(crop.image, white, breast.chest_wall is Laterality.right, image)


def why_unusable(error: MammoscopeError) -> str:
    """What a store keeps of it: not the file's path, nor a word of its header; either may name a patient."""
    if isinstance(error, DicomError):
        return f"{error.code}: {CODES[error.code]}"
    return public_words(error)


def _share_outside(mask: np.ndarray, window: Window) -> float:
    rows = slice(window.top_px, window.top_px + window.height_px)
    columns = slice(window.left_px, window.left_px + window.width_px)
    return 1 - np.count_nonzero(mask[rows, columns]) / np.count_nonzero(mask)


def hash_film(raw: np.ndarray) -> str:
    """xxh3-128 of a film's raw pixels and shape: equal for the same film under two UIDs."""
    digest = xxhash.xxh3_128(repr((raw.shape, raw.dtype.str)).encode())
    digest.update(np.ascontiguousarray(raw).data)
    return digest.hexdigest()


def _row(
    id: str, mammogram: Mammogram, film_hash: str, breast: Breast, cut: Prepared, *, is_normal: bool = False
) -> Callable[[int, int], StoreRow]:
    # DDSM scanned left breasts with the chest wall at the left edge; copies in circulation are often mirrored
    agrees = (breast.chest_wall is Laterality.left) == (mammogram.laterality is Laterality.left)

    def placed(shard: int, row: int) -> StoreRow:
        return StoreRow(
            id=id,
            mammogram=mammogram.key,
            film=film_hash,
            shard=shard,
            row=row,
            mirrored=cut.mirrored,
            chest_wall_agrees=agrees,
            enlarged=cut.enlarged,
            is_normal=is_normal,
            **asdict(cut.window),
        )

    return placed


def confirmed_masks(
    source_root: Path, work: FilmWork, film: SourceFilm, defects: list[Defect]
) -> Iterator[tuple[Abnormality, np.ndarray]]:
    """The masks that really are masks of this film; what contradicts that goes into `defects`."""
    for abnormality in work.abnormalities:
        assert abnormality.mask_path is not None, "the plan names abnormalities with masks"
        try:
            pixels = read_mask(source_root / abnormality.mask_path)
            mask = as_mask(pixels, film.raw.shape)
            box = mask_box(mask)
        except MammoscopeError as error:
            defects.append(
                Defect(
                    row=abnormality.key,
                    problem="unusable_mask",
                    found=why_unusable(error),
                    taken_as="no ROI",
                    reason="not a mask",
                )
            )
            continue
        expected = crop_shape(box, film.raw.shape)
        found = (abnormality.crop_rows_px, abnormality.crop_columns_px)
        if None not in found and found != expected:
            defects.append(
                Defect(
                    row=abnormality.key,
                    problem=Trap.crop_size,
                    found=f"released crop of {found[0]} x {found[1]} px, the mask's box and {CROP_MARGIN_PX} px make "
                    f"{expected[0]} x {expected[1]} px",
                    taken_as="mask",
                    reason="the ROI is re-cut from the film by its mask; the released crop is not used",
                )
            )
        yield abnormality, mask


def as_mask(pixels: np.ndarray, film_shape: tuple[int, ...]) -> np.ndarray:
    if pixels.shape != film_shape:
        raise MammoscopeError(f"mask of {pixels.shape} px on a film of {film_shape} px")
    low, high = pixels.min(), pixels.max()
    inside = pixels > low if high > low else pixels > 0
    # all that is above the lowest level is at the highest: counted, because np.unique sorts 13 million values
    if high > low and np.count_nonzero(inside) != np.count_nonzero(pixels == high):
        raise MammoscopeError(f"mask with {len(np.unique(pixels))} grey levels: at most two are allowed")
    return inside


def crop_shape(box: tuple[int, int, int, int], film_shape: tuple[int, ...]) -> tuple[int, int]:
    top, left, bottom, right = box
    rows = min(bottom + CROP_MARGIN_PX, film_shape[0]) - max(top - CROP_MARGIN_PX, 0)
    columns = min(right + CROP_MARGIN_PX, film_shape[1]) - max(left - CROP_MARGIN_PX, 0)
    return rows, columns
