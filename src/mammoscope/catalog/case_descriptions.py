"""The four case description files of CBIS-DDSM -> one row an abnormality x view. Every cell that is wrong is named."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from mammoscope.catalog.cells import Column, bad_cells, matching, refuse_bad, whole
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Laterality, Partition, Pathology, View

FILES: Final[Mapping[str, tuple[AbnormalityKind, Partition]]] = {
    f"{kind}_case_description_{partition}_set.csv": (kind, partition)
    for kind in CBIS_DDSM_KINDS
    for partition in (Partition.train, Partition.test)
}
_PUBLISHED_NAME: Final = {Partition.train: "Training", Partition.test: "Test"}
_SIDES: Final = {"LEFT": Laterality.left, "RIGHT": Laterality.right}
_TYPE: Final = {AbnormalityKind.mass: "mass", AbnormalityKind.calc: "calcification"}
_DENSITY: Final = {AbnormalityKind.mass: "breast_density", AbnormalityKind.calc: "breast density"}
_DESCRIPTORS: Final = {
    AbnormalityKind.mass: ("mass shape", "mass margins"),
    AbnormalityKind.calc: ("calc type", "calc distribution"),
}
_IMAGE, _CROP, _MASK = "image file path", "cropped image file path", "ROI mask file path"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a CSV says that a file is. Only the UIDs are true of today's downloads."""

    patient_id: str
    study_uid: str
    series_uid: str
    file_name: str

    @property
    def series(self) -> tuple[str, str]:
        return self.study_uid, self.series_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One row, understood; the fields mean what those of records.Abnormality mean."""

    kind: AbnormalityKind
    published: Partition
    patient: str
    laterality: Laterality
    view: View
    number: int
    pathology: Pathology
    assessment: int
    density: int
    subtlety: int
    descriptor_1: str
    descriptor_2: str
    image: Place
    crop: Place
    mask: Place

    @property
    def mammogram(self) -> str:
        published = f"{self.kind.capitalize()}-{_PUBLISHED_NAME[self.published]}"
        return f"{published}_{self.patient}_{self.laterality.upper()}_{self.view}"

    @property
    def key(self) -> str:
        return f"{self.mammogram}_{self.number}"


def read_case_descriptions(paths: Sequence[Path]) -> tuple[CaseRow, ...]:
    """All rows, in the order of the files and of their lines. The files are named as in FILES.

    Raises:
        MammoscopeError: for a file that is no such table; for bad cells, with file, line, column, value, allowed.
    """
    rows: list[CaseRow] = []
    bad: list[tuple[str, str]] = []
    owners: dict[str | tuple[str, str], str] = {}
    for path in paths:
        kind, published = FILES[path.name]
        for where, cells in _lines(path, kind):
            wrong = list(bad_cells(cells, _columns(kind)))
            if not wrong:
                rows.append(_row(cells, kind, published))
                wrong = list(_contradictions(rows[-1], owners, where))
            bad.extend((where, words) for words in wrong)
    refuse_bad(bad)
    return tuple(rows)


def _lines(path: Path, kind: AbnormalityKind) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row stands, and its stripped cells by column. One cell of every real row holds a newline."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            absent = [name for name in _columns(kind) if name not in columns]
            if absent:
                official = ", ".join(_columns(kind))
                raise MammoscopeError(f"{path}: no column {absent[0]!r}; the official ones are {official}")
            first = reader.line_num + 1
            for cells in reader:
                if cells and len(cells) != len(columns):
                    raise MammoscopeError(f"{path} line {first}: {len(cells)} cells; allowed: {len(columns)}")
                if cells:
                    yield f"{path} line {first}", dict(zip(columns, (c.strip() for c in cells), strict=True))
                first = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MammoscopeError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


@cache
def _columns(kind: AbnormalityKind) -> Mapping[str, Column]:
    shape, margins = _DESCRIPTORS[kind]
    place = Column(_place, "<PatientID>/<StudyInstanceUID>/<SeriesInstanceUID>/<name>.dcm")
    return {
        "patient_id": Column(partial(matching, r"P_[0-9]{5}"), "P_ and five digits"),
        _DENSITY[kind]: Column(partial(whole, 0, 4), "0 to 4"),
        "left or right breast": Column(_SIDES.__getitem__, "LEFT, RIGHT"),
        "image view": Column(View, "CC, MLO"),
        "abnormality id": Column(partial(whole, 1, 999), "1 to 999"),
        "abnormality type": Column({_TYPE[kind]: kind}.__getitem__, _TYPE[kind]),
        shape: Column(partial(matching, ".+"), "words, or N/A"),
        margins: Column(partial(matching, ".+"), "words, or N/A"),
        "assessment": Column(partial(whole, 0, 5), "0 to 5"),
        "pathology": Column(Pathology, ", ".join(Pathology)),
        "subtlety": Column(partial(whole, 0, 5), "0 to 5"),
        _IMAGE: place,
        _CROP: place,
        _MASK: place,
    }


def _row(cells: Mapping[str, str], kind: AbnormalityKind, published: Partition) -> CaseRow:
    shape, margins = _DESCRIPTORS[kind]
    return CaseRow(
        kind=kind,
        published=published,
        patient=cells["patient_id"],
        laterality=_SIDES[cells["left or right breast"]],
        view=View(cells["image view"]),
        number=int(cells["abnormality id"]),
        pathology=Pathology(cells["pathology"]),
        assessment=int(cells["assessment"]),
        density=int(cells[_DENSITY[kind]]),
        subtlety=int(cells["subtlety"]),
        descriptor_1=cells[shape],
        descriptor_2=cells[margins],
        image=_place(cells[_IMAGE]),
        crop=_place(cells[_CROP]),
        mask=_place(cells[_MASK]),
    )


def _contradictions(row: CaseRow, owners: dict[str | tuple[str, str], str], where: str) -> Iterator[str]:
    """Paths that name another picture; rows and series that stand twice. `owners` remembers who named what."""
    if row.key in owners:
        yield f"column 'abnormality id': {row.key} stands in {owners[row.key]} already; allowed: once"
    owners[row.key] = where
    for column, place, name in (
        (_IMAGE, row.image, row.mammogram),
        (_CROP, row.crop, row.key),
        (_MASK, row.mask, row.key),
    ):
        if place.patient_id != name:
            yield f"column {column!r}: {place.patient_id!r}; allowed by the row's other cells: {name}"
        owner = owners.setdefault(place.series, name)
        if owner != name:
            yield f"column {column!r}: series {place.series_uid} belongs to {owner} already; allowed: one of its own"


def _place(cell: str) -> Place:
    patient_id, study_uid, series_uid, file_name = cell.split("/")
    for uid in (study_uid, series_uid):
        matching(r"[0-9]+(\.[0-9]+)+", uid)
    return Place(patient_id, study_uid, series_uid, matching(r"[^\\]+\.dcm", file_name))
