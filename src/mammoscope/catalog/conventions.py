"""Oddities of CBIS-DDSM that concern whole files, not single rows: counted, so that nobody is taken by surprise."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mammoscope.records import Catalog
from mammoscope.vocabulary import CBIS_DDSM_KINDS


@dataclass(frozen=True, slots=True)
class Convention:
    what: str
    count: int
    of: int
    taken_as: str


def count_conventions(root: Path, case_descriptions: tuple[str, ...], catalog: Catalog) -> tuple[Convention, ...]:
    return (*_of_tables(root, case_descriptions), *_of_rows(catalog), *_of_files(catalog))


def _of_tables(root: Path, case_descriptions: tuple[str, ...]) -> Iterator[Convention]:
    tables = [(root / path).read_bytes() for path in case_descriptions]
    spelt = sum(b"breast density" in table.split(b"\n", 1)[0] for table in tables)
    yield Convention(
        "case descriptions that say `breast density`, not `breast_density`", spelt, len(tables), "the same column"
    )
    broken, rows = sum(t.count(b'\n"') for t in tables), sum(t.count(b"\nP_") for t in tables)
    yield Convention("rows with a line break inside a path", broken, rows, "cells are stripped")


def _of_rows(catalog: Catalog) -> Iterator[Convention]:
    rows = catalog.abnormalities
    for kind in CBIS_DDSM_KINDS:
        own = [row for row in rows if row.kind is kind]
        absent = sum("N/A" in (row.descriptor_1, row.descriptor_2) for row in own)
        yield Convention(f"{kind} rows with a descriptor N/A", absent, len(own), "a category of its own, not missing")
    numbers: dict[str, list[int]] = {}
    for row in rows:
        numbers.setdefault(row.mammogram, []).append(row.number)
    gappy = sum(sorted(own) != list(range(1, len(own) + 1)) for own in numbers.values())
    yield Convention(
        "mammograms whose abnormalities are not numbered 1, 2, ...",
        gappy,
        len(numbers),
        "the key is kind, patient, side, view and number",
    )


def _of_files(catalog: Catalog) -> Iterator[Convention]:
    crops = [a.crop_path for a in catalog.abnormalities if a.crop_path]
    names = Counter(path.rpartition("/")[2] for path in crops)
    for name, count in sorted(names.items()):
        yield Convention(f"crops that are called {name}", count, len(crops), "told from masks by bits and size")
    in_masks = sum("ROI mask images" in path for path in crops)
    yield Convention("crops in folders called `ROI mask images`", in_masks, len(crops), "folders' names are not used")
