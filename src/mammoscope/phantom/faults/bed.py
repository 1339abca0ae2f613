"""What a planter works on: the patients of one fault, as they were drawn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mammoscope.dicom.read import read_header
from mammoscope.phantom.patient import PatientRows
from mammoscope.phantom.tables import CaseRow, SeriesRow


@dataclass(slots=True)
class Bed:
    root: Path
    patients: list[PatientRows]  # planters that change rows put others in their place
    rng: np.random.Generator

    @property
    def cases(self) -> tuple[CaseRow, ...]:
        return tuple(case for patient in self.patients for case in patient.cases)

    def film(self, case: CaseRow) -> Path:
        (path,) = self._files(case.mammogram)
        return path

    def mask(self, case: CaseRow) -> Path:
        return next(path for path in self._files(case.key) if _is_mask(path))

    def crop(self, case: CaseRow) -> Path:
        return next(path for path in self._files(case.key) if not _is_mask(path))

    def name(self, path: Path) -> str:
        """As a path is told: relative to the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def series(self, subject: str) -> Iterator[SeriesRow]:
        """subject: key of a mammogram or of an abnormality."""
        return (row for patient in self.patients for row in patient.series if row.subject == subject)

    def change(self, case: CaseRow, **cells: Any) -> None:
        """Other cells in the case description file."""
        changed = replace(case, **cells)
        self._each(lambda p: replace(p, cases=tuple(changed if row is case else row for row in p.cases)))

    def drop(self, series: SeriesRow) -> None:
        self._each(lambda p: replace(p, series=tuple(row for row in p.series if row is not series)))

    def add(self, series: SeriesRow) -> None:
        self.patients[-1] = replace(self.patients[-1], series=(*self.patients[-1].series, series))

    def _each(self, change: Callable[[PatientRows], PatientRows]) -> None:
        self.patients = [change(patient) for patient in self.patients]

    def _files(self, subject: str) -> list[Path]:
        return [path for row in self.series(subject) for path in sorted((self.root / row.folder).iterdir())]


def _is_mask(path: Path) -> bool:
    return read_header(path).bits_allocated == 8
