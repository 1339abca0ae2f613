"""What does not fit together in a tree: within series and studies, between files, folders and CSVs.

It reads the facts that were kept of each row, a batch at a time; between files it compares 64-bit digests, of which it
keeps a few a row.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.collection.claims import LEVELS, find_false_claims
from mammoscope.collection.facts import Facts, digest, facts_in
from mammoscope.collection.picture_ids import names_picture
from mammoscope.collection.reading import Listing
from mammoscope.collection.same_pixels import find_same_pixels
from mammoscope.collection.tables import Parts
from mammoscope.pool import Pool

MOST_LISTED: Final = 10_000  # of each code; all are counted
_MOST_FILES, _MOST_VALUES = 5, 20  # that one names
SCHEMA: Final = pa.schema(
    [
        ("code", pa.string()),  # of dicom.codes.CODES
        ("level", pa.string()),  # series, study, instance, folder, csv
        ("subject", pa.string()),  # its UID, path or line
        ("found", pa.string()),
        ("files", pa.int64()),
        ("file_paths", pa.list_(pa.string())),  # of some of them
    ]
)
_WITHIN: Final = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "ImageLaterality",
    "Laterality",
    "PixelSpacing",
    "ImagerPixelSpacing",
)
_BETWEEN: Final = (  # code, what may be in one only, what that is, its level
    ("W-DUPLICATE-UID", "SOPInstanceUID", "file_path", "instance"),
    ("W-STUDY-PATIENTS", "StudyInstanceUID", "PatientID", "study"),
    ("W-SERIES-STUDIES", "SeriesInstanceUID", "StudyInstanceUID", "series"),
)


@dataclass(frozen=True, slots=True)
class Anomaly:
    code: str
    level: str
    subject: str
    found: str
    files: int
    file_paths: tuple[str, ...]


def find_anomalies(
    root: Path, parts: Parts, listing: Listing, pixels: Pool | None, step: Callable[[int, int], None]
) -> dict[str, int]:
    """Writes them, and gives how many there are of each code. pixels: who reads them; None: nobody does."""
    counts, rows = Counter[str](), list[Anomaly]()
    for anomaly in _all(root, parts, listing, pixels, step):
        counts[anomaly.code] += 1
        if counts[anomaly.code] <= MOST_LISTED:
            rows.append(anomaly)
    columns = [[getattr(row, name) for row in rows] for name in SCHEMA.names]
    pq.write_table(
        pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA), parts.anomalies
    )
    return dict(counts)


def _all(
    root: Path, parts: Parts, listing: Listing, pixels: Pool | None, step: Callable[[int, int], None]
) -> Iterator[Anomaly]:
    yield from _mixed(facts_in(parts.facts, *_WITHIN))
    for code, one, other, level in _BETWEEN:
        yield from _between(parts.facts, code, one, other, level)
    yield from _folders(parts.facts)
    csvs = (file.path for file in listing.files() if file.path.lower().endswith(".csv"))
    for claim in find_false_claims(root, csvs, facts_in(parts.facts, "PatientID", *LEVELS)):
        yield Anomaly("W-CSV-PATIENT", "csv", claim.where, claim.found, claim.files, claim.file_paths[:_MOST_FILES])
    if pixels is not None:
        for same in find_same_pixels(root, parts.facts, pixels, step):
            found = f"{len(same.sop_uids)} SOP instance UIDs: {', '.join(same.sop_uids[:_MOST_FILES])}"
            yield Anomaly("W-SAME-PIXELS", "instance", same.digest, found, len(same.paths), same.paths[:_MOST_FILES])


# ---- within a series, within a study ----


def _photometric(row: Facts) -> str:
    return row.get("PhotometricInterpretation", "")


def _bits(row: Facts) -> str:
    allocated = row.get("BitsAllocated", "")
    return f"{row.get('BitsStored', '?')} of {allocated}" if allocated else ""


def _laterality(row: Facts) -> str:
    return row.get("ImageLaterality") or row.get("Laterality", "")


def _spacing(row: Facts) -> str:
    return row.get("PixelSpacing") or row.get("ImagerPixelSpacing", "")


_MIXED: Final = {  # code: the fact, and whether it has to agree within a study, too
    "W-MIXED-PHOTOMETRIC": (_photometric, True),
    "W-MIXED-BITS": (_bits, True),
    "W-MIXED-LATERALITY": (_laterality, False),
    "W-MIXED-SPACING": (_spacing, True),
}


class _Group:
    """The facts of one series or study as its rows go by."""

    def __init__(self, level: str, uid: str):
        self.level, self.uid = level, uid
        self._files: dict[str, dict[str, list[str | int]]] = {}  # by code and value: how many, and the first

    def add(self, code: str, value: str, path: str) -> None:
        of_code = self._files.get(code)
        if of_code is None:
            self._files[code] = {value: [1, path]}
        elif value in of_code:
            of_code[value][0] += 1  # type: ignore[operator]
        else:
            of_code[value] = [1, path]

    def mixed(self) -> Iterator[Anomaly]:
        for code, values in self._files.items() if self.uid else ():
            if len(values) > 1:
                found = ", ".join(f"{value}: {files}" for value, (files, _) in list(values.items())[:_MOST_VALUES])
                paths = tuple(str(path) for _, path in values.values())[:_MOST_FILES]
                yield Anomaly(code, self.level, self.uid, found, sum(int(n) for n, _ in values.values()), paths)


def _mixed(rows: Iterable[Facts]) -> Iterator[Anomaly]:
    """A study is named where each of its series agrees with itself, and they do not with each other."""
    for study_uid, of_study in groupby(rows, lambda row: row.get("StudyInstanceUID", "")):
        study, told = _Group("study", study_uid), set[str]()
        for series_uid, of_series in groupby(of_study, lambda row: row.get("SeriesInstanceUID", "")):
            series = _Group("series", series_uid)
            for row in of_series:
                for code, (fact, _) in _MIXED.items():
                    if value := fact(row):
                        study.add(code, value, row["file_path"])
                        series.add(code, value, row["file_path"])
            for anomaly in series.mixed():
                told.add(anomaly.code)
                yield anomaly
        for anomaly in study.mixed():
            if anomaly.code not in told and _MIXED[anomaly.code][1]:
                yield anomaly


# ---- between files ----


def _between(facts: Path, code: str, one: str, other: str, level: str) -> Iterator[Anomaly]:
    ones, others = array("Q"), array("Q")
    for row in facts_in(facts, one, *_but_path(other)):
        if one in row:
            ones.append(digest(row[one]))
            others.append(digest(row.get(other, "")))
    pairs = np.unique(np.stack([np.frombuffer(a, np.uint64) for a in (ones, others)], axis=1), axis=0)
    values, counts = np.unique(pairs[:, 0], return_counts=True)
    several = set(values[counts > 1].tolist())
    if not several:
        return
    found: dict[str, dict[str, list[str]]] = {}
    for row in facts_in(facts, one, *_but_path(other)):
        if one in row and digest(row[one]) in several and (row[one] in found or len(found) < MOST_LISTED):
            found.setdefault(row[one], {}).setdefault(row.get(other, ""), []).append(row["file_path"])
    for subject, by_other in found.items():
        paths = tuple(paths[0] for paths in by_other.values())[:_MOST_FILES]
        files = sum(len(paths) for paths in by_other.values())
        words = f"{files} files" if other == "file_path" else ", ".join(by_other)
        yield Anomaly(code, level, subject, words, files, paths)


def _but_path(name: str) -> tuple[str, ...]:
    return () if name == "file_path" else (name,)


def _folders(facts: Path) -> Iterator[Anomaly]:
    patients = {digest(row["PatientID"]) for row in facts_in(facts, "PatientID") if "PatientID" in row}
    found: dict[tuple[str, str], list[str]] = {}
    for row in facts_in(facts, "PatientID"):
        patient = row.get("PatientID", "")
        for folder in row["file_path"].split("/")[:-1]:
            if folder != patient and (names_picture(folder) or digest(folder) in patients):
                found.setdefault((folder, patient), []).append(row["file_path"])
    for (folder, patient), paths in found.items():
        words = f"PatientID is {patient or 'absent'}"
        yield Anomaly("W-FOLDER-PATIENT", "folder", folder, words, len(paths), tuple(paths[:_MOST_FILES]))
