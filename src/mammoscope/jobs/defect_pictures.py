"""Which pictures show which finding."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.catalog.diagnosis import Diagnosis
from mammoscope.data.pictures import picture_of_film, picture_of_mask
from mammoscope.records import Abnormality, Catalog, Finding, Mammogram
from mammoscope.reporting.doctor_page import Picture
from mammoscope.vocabulary import Trap

MOST = 8  # findings of one trap that are shown: a report stays a few megabytes


def draw_defects(root: Path, catalog: Catalog, diagnosis: Diagnosis) -> dict[Trap, tuple[tuple[Picture, ...], ...]]:
    """By trap, the pictures of each finding that is shown; traps that no picture shows are left out."""
    drawer = _Drawer(
        root,
        {m.key: m for m in catalog.mammograms},
        {a.key: a for a in catalog.abnormalities},
        {m.path: m for m in catalog.mammograms if m.path},
    )
    drawn = {trap: tuple(_some(drawer, draw, diagnosis.of(trap))) for trap, draw in _DRAWN.items()}
    return {trap: groups for trap, groups in drawn.items() if groups}


def _some(
    drawer: "_Drawer", draw: Callable[["_Drawer", Finding], Iterator[Picture | None]], findings: tuple[Finding, ...]
) -> Iterator[tuple[Picture, ...]]:
    shown: set[frozenset[str]] = set()
    for finding in findings:
        rows = frozenset((finding.row, *finding.others))
        if len(shown) == MOST:
            return
        if rows in shown:  # a pair is shown once, not from either side
            continue
        if pictures := tuple(picture for picture in draw(drawer, finding) if picture is not None):
            shown.add(rows)
            yield pictures


@dataclass(frozen=True, slots=True)
class _Drawer:
    root: Path
    mammograms: Mapping[str, Mammogram]
    abnormalities: Mapping[str, Abnormality]
    by_path: Mapping[str, Mammogram]

    def film(self, key: str) -> Picture | None:
        mammogram = self.mammograms[key]
        masks = [a.mask_path for a in self.abnormalities.values() if a.mammogram == key and a.mask_path]
        png = picture_of_film(self.root, mammogram.path, masks) if mammogram.path else None
        return Picture(png=png, caption=key) if png else None

    def mask(self, key: str, path: str | None) -> Picture | None:
        png = picture_of_mask(self.root, path) if path and (self.root / path).is_file() else None
        return Picture(png=png, caption=f"{key}: mask") if png else None

    def crop(self, key: str) -> Picture | None:
        path = self.abnormalities[key].crop_path
        png = picture_of_mask(self.root, path) if path else None
        return Picture(png=png, caption=f"{key}: crop") if png else None

    def mammogram_of(self, row: str) -> str:
        return self.abnormalities[row].mammogram if row in self.abnormalities else row


def _films(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    for row in (finding.row, *finding.others):
        yield drawer.film(drawer.mammogram_of(row))


def _side_by_side(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    """Nothing where only one of them can be read: there is nothing to compare."""
    pictures = [picture for picture in _films(drawer, finding) if picture is not None]
    yield from pictures if len(pictures) > 1 else ()


def _film_of_path(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    if mammogram := drawer.by_path.get(finding.row):
        yield drawer.film(mammogram.key)


def _with_mask(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    yield drawer.film(drawer.mammogram_of(finding.row))
    yield drawer.mask(finding.row, drawer.abnormalities[finding.row].mask_path)


def _with_refused_mask(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    yield drawer.film(drawer.mammogram_of(finding.row))
    yield drawer.mask(finding.row, finding.found.split(": 8 bits")[0])  # as the ledger has it: the catalog has no mask


def _with_mask_and_crop(drawer: _Drawer, finding: Finding) -> Iterator[Picture | None]:
    yield from _with_mask(drawer, finding)
    yield drawer.crop(finding.row)


_DRAWN: Final[Mapping[Trap, Callable[[_Drawer, Finding], Iterator[Picture | None]]]] = {
    Trap.duplicate_film: _side_by_side,
    Trap.near_duplicate: _side_by_side,
    Trap.stored_twice: _side_by_side,
    Trap.mixed_pathology: _films,
    Trap.unstable_id: _films,
    Trap.swapped_mask: _with_mask_and_crop,
    Trap.monochrome1: _film_of_path,
    Trap.laterality: _films,
    Trap.mirrored: _films,
    Trap.mask_size: _with_refused_mask,
    Trap.mask_values: _with_mask,
    Trap.crop_size: _with_mask_and_crop,
}
