"""Which masks belong to which films of a CBIS-DDSM tree: by the catalog's join, of these films only."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from mammoscope.catalog.case_descriptions import FILES, read_case_descriptions
from mammoscope.catalog.headers import read_headers
from mammoscope.catalog.join import join
from mammoscope.collection.hanging import Hung

_LEVELS: Final = 6  # from a file up to the case descriptions: <root>/CBIS-DDSM/<PatientID>/<study>/<series>/1-1.dcm


@dataclass(frozen=True, slots=True)
class Outlined:
    pictures: tuple[Hung, ...]
    drawn_masks: int
    left_out: int  # masks and crops of films that are shown themselves


def outlined(pictures: Sequence[Hung], workers: int) -> Outlined:
    """Films with their masks, which are looked for beside them, too; masks and crops of these films do not hang.

    Raises: MammoscopeError for case descriptions that are no such table.
    """
    by_root: dict[Path, list[Hung]] = defaultdict(list)
    root_of = cache(_root_of)  # for this once: what lies there may change
    for hung in pictures:
        if (root := root_of(hung.path.absolute().parent)) is not None:
            by_root[root].append(hung)
    masks: dict[Path, tuple[Path, ...]] = {}
    parts: set[Path] = set()
    for root, hungs in by_root.items():
        _join(root, hungs, workers, masks, parts)
    kept = [replace(h, masks=masks.get(h.path.absolute(), ())) for h in pictures if h.path.absolute() not in parts]
    return Outlined(tuple(kept), sum(len(h.masks) for h in kept), len(pictures) - len(kept))


def _join(
    root: Path, hungs: Sequence[Hung], workers: int, masks: dict[Path, tuple[Path, ...]], parts: set[Path]
) -> None:
    shown = {hung.path.absolute() for hung in hungs}
    series = {(hung.card.study_uid, hung.card.series_uid) for hung in hungs}
    rows = [row for row in read_case_descriptions(_tables(root)) if row.image.series in series]
    numbered = cache(_numbered)
    near = {path for hung in hungs for path in _beside(hung, numbered)}
    paths = sorted(str(path.relative_to(root)) for path in shown | near)
    joined = join(rows, read_headers(root, paths, workers=workers, progress=None))
    films = {key: root / m.path for key, m in joined.mammograms.items() if m.path and root / m.path in shown}
    for a in joined.abnormalities:
        film = films.get(a.mammogram)
        if film is None:
            continue
        parts.update(root / path for path in (a.mask_path, a.crop_path) if path)
        if a.mask_path:
            masks[film] = (*masks.get(film, ()), root / a.mask_path)


def _root_of(folder: Path) -> Path | None:
    """The nearest folder above, or this one, that holds case descriptions."""
    return next((above for above in (folder, *folder.parents)[:_LEVELS] if _tables(above)), None)


def _tables(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in FILES if (folder / name).is_file())


def _beside(hung: Hung, numbered: Callable[[Path], Mapping[str, tuple[str, ...]]]) -> Iterator[Path]:
    """DICOM files in folders named as the film's, with the number of an abnormality."""
    key = hung.card.patient_id
    own = next((folder for folder in hung.path.absolute().parents if folder.name == key), None)
    if own is not None:
        for name in numbered(own.parent).get(key, ()):
            yield from sorted((own.parent / name).rglob("*.dcm"))


def _numbered(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The folders in it that are named as another with a number, by that other's name."""
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(os.listdir(folder)):
        if match := re.fullmatch(r"(.+)_\d+", name):
            found[match[1]] = (*found.get(match[1], ()), name)
    return found
