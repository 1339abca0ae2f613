"""What CSVs in a tree say about whose a study, a series or an instance is, against what the files say.

A row is understood that names a patient in a column of its own and a UID anywhere, or that holds paths as CBIS-DDSM's
case descriptions do: <PatientID>/<StudyInstanceUID>/<SeriesInstanceUID>/000000.dcm.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.collection.picture_ids import names_picture, patient_of

_UID: Final = re.compile(r"\d+(?:\.\d+){4,}")
_PATIENT_COLUMNS: Final = frozenset(("patientid", "subjectid", "patient", "subject"))
_OF_THE_STANDARD: Final = "1.2.840.10008."  # UIDs of nobody's: SOP classes, transfer syntaxes
LEVELS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True, slots=True)
class FalseClaim:
    where: str  # file and line
    found: str
    files: int
    file_paths: tuple[str, ...]


Claims = dict[str, dict[str, str]]  # by UID, by patient: where that is said


@dataclass(frozen=True, slots=True)
class _Claim:
    where: str
    uid: str
    patient: str


def find_false_claims(root: Path, csvs: Iterable[str], rows: Iterable[Mapping[str, str]]) -> Iterator[FalseClaim]:
    """rows: the facts of the table. One that a CSV does not speak of is no anomaly, nor is the reverse."""
    claims: Claims = {}
    for path in csvs:
        for claim in _claims(root / path, path):
            if claim.uid:
                claims.setdefault(claim.uid, {}).setdefault(claim.patient, claim.where)
            else:
                yield FalseClaim(claim.where, claim.patient, 0, ())
    if not claims:
        return
    false: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        patient = row.get("PatientID", "")
        for uid, claimed, where in _false(row, patient, claims):
            words = f"{claimed} has {uid}; PatientID is {patient or 'absent'}"
            false.setdefault((where, words), []).append(row["file_path"])
    for (where, words), paths in false.items():
        yield FalseClaim(where, words, len(paths), tuple(paths))


def _false(row: Mapping[str, str], patient: str, claims: Claims) -> Iterator[tuple[str, str, str]]:
    for level in LEVELS:
        uid = row.get(level, "")
        for claimed, where in claims.get(uid, {}).items():
            if not _agree(claimed, patient):
                yield uid, claimed, where


def _agree(claimed: str, patient: str) -> bool:
    """A picture's id has to be the same; where a CSV names the patient, any of the patient's pictures will do."""
    return claimed == patient or (not names_picture(claimed) and claimed == patient_of(patient))


def _claims(file: Path, path: str) -> Iterator[_Claim]:
    """With an empty UID: a row that names two patients."""
    try:
        with open(file, newline="", encoding="utf-8-sig", errors="replace") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            names = [re.sub(r"[^a-z]", "", name.lower()) for name in header]
            column = next((k for k, name in enumerate(names) if name in _PATIENT_COLUMNS), None)
            if column is None:
                return
            for cells in reader:
                yield from _claims_of([cell.strip() for cell in cells], column, f"{path}:{reader.line_num}")
    except (OSError, csv.Error):
        return  # a CSV that cannot be read says nothing


def _claims_of(cells: list[str], column: int, where: str) -> Iterator[_Claim]:
    patient = cells[column] if column < len(cells) else ""
    if not patient:
        return
    for cell in cells:
        uids = _UID.findall(cell)
        owner = cell.split("/")[0] if "/" in cell and names_picture(cell.split("/")[0]) else patient
        if patient_of(owner) != patient_of(patient):
            yield _Claim(where, "", f"the row is of {patient}, its path of {owner}")
        yield from (_Claim(where, uid, owner) for uid in uids if not uid.startswith(_OF_THE_STANDARD))
