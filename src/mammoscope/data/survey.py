"""Every file's pixels read once: what they are, without cutting anything. What was read is known until it changes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from mammoscope.catalog.join import trap_of
from mammoscope.data.cut import as_mask, hash_film
from mammoscope.data.films import read_mask, read_source_film
from mammoscope.data.preprocess import find_breast, mask_box
from mammoscope.data.thumbnails import breast_thumbnail
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.pool import open_pool
from mammoscope.records import Catalog
from mammoscope.vocabulary import ImageType, Trap

_CHUNK: Final = 8  # files handed to a process at once
_WORTH_A_POOL: Final = 64 << 20  # bytes: a process takes seconds to import what it needs

Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two exclusive


@dataclass(frozen=True, slots=True)
class SurveyedFile:
    """One file to look at. Size and time tell whether it is still the one that was looked at before."""

    path: str
    image: ImageType
    file_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What the pixels of one file say. A field that is no matter of its image type is None."""

    file: SurveyedFile
    trap: Trap | None = None  # why the pixels cannot be used
    trouble: str | None = None  # the same in words
    shape_px: tuple[int, int] | None = None
    film: str | None = None  # full: xxh3-128 of the raw pixels
    chest_wall: str | None = None  # full: the side of the picture
    thumbnail: bytes | None = None  # full: 128 x 128 grey values
    levels: int | None = None  # mask: distinct grey values
    box: Box | None = None  # mask: of the ROI; None where it is empty
    peak: int | None = None  # crop: highest stored value


def plan_survey(root: Path, catalog: Catalog) -> tuple[SurveyedFile, ...]:
    """Every file of the catalog, by path."""
    named = {m.path: ImageType.full for m in catalog.mammograms if m.path}
    named |= {a.mask_path: ImageType.mask for a in catalog.abnormalities if a.mask_path}
    named |= {a.crop_path: ImageType.crop for a in catalog.abnormalities if a.crop_path}
    return tuple(_file(root, path, image) for path, image in sorted(named.items()))


def _file(root: Path, path: str, image: ImageType) -> SurveyedFile:
    try:
        status = (root / path).stat()
    except OSError:  # gone since it was indexed: reading it says so
        return SurveyedFile(path, image, -1, -1)
    return SurveyedFile(path, image, status.st_size, status.st_mtime_ns)


def survey_files(
    root: Path, files: Sequence[SurveyedFile], *, workers: int, progress: Callable[[int, int], None]
) -> Iterator[FileFacts]:
    """Each file's facts, in the given order. workers: processes; 0: as many as there are cores and work for."""
    look = partial(look_at, str(root))
    is_much = sum(file.file_bytes for file in files) >= _WORTH_A_POOL
    with open_pool(workers, is_worth_it=is_much, uses_cv2=True) as pool:
        for done, facts in enumerate(pool.map(look, files, at_once=_CHUNK), start=1):
            yield facts
            progress(done, len(files))


def look_at(root: str, file: SurveyedFile) -> FileFacts:
    """Never raises for a bad file: it says what is wrong with it. Messages leave the root out."""
    path = Path(root, file.path)
    try:
        return _LOOKS[file.image](file, path)
    except DicomError as error:
        return FileFacts(file=file, trap=trap_of(error), trouble=f"{error.code}: {error.reason}")
    except MammoscopeError as error:
        return FileFacts(file=file, trap=Trap.unreadable, trouble=str(error))


def _look_at_film(file: SurveyedFile, path: Path) -> FileFacts:
    film = read_source_film(path)
    breast = find_breast(film.grey)
    return FileFacts(
        file=file,
        shape_px=film.raw.shape,
        film=hash_film(film.raw),
        chest_wall=breast.chest_wall,
        thumbnail=breast_thumbnail(film.grey, breast).tobytes(),
    )


def _look_at_mask(file: SurveyedFile, path: Path) -> FileFacts:
    pixels = read_mask(path)
    counts = np.bincount(pixels.ravel()) if pixels.dtype.kind == "u" else np.unique(pixels, return_counts=True)[1]
    levels = int(np.count_nonzero(counts))
    try:
        box = mask_box(as_mask(pixels, pixels.shape)) if levels <= 2 else None
    except MammoscopeError:  # it is empty
        box = None
    return FileFacts(file=file, shape_px=pixels.shape, levels=levels, box=box)


def _look_at_crop(file: SurveyedFile, path: Path) -> FileFacts:
    pixels = read_mask(path)
    return FileFacts(file=file, shape_px=pixels.shape, peak=int(pixels.max()))


_LOOKS: Final[dict[ImageType, Callable[[SurveyedFile, Path], FileFacts]]] = {
    ImageType.full: _look_at_film,
    ImageType.mask: _look_at_mask,
    ImageType.crop: _look_at_crop,
}
