"""One small phantom for all tests that want files, and two that have faults."""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pydicom
import pytest

from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom
from mammoscope.phantom.tables import case_file_name
from mammoscope.vocabulary import CBIS_DDSM_KINDS, PHANTOM_FAULTS, Partition, Trap

FILES = [(kind, published) for kind in CBIS_DDSM_KINDS for published in (Partition.train, Partition.test)]
Row = dict[str, str]


@pytest.fixture(scope="session")
def small() -> PhantomConfig:
    return PhantomConfig(patients=24, seed=3, d_prime=1.8, height_px=240, width_px=160, test_fraction=0.25)


@pytest.fixture(scope="session")
def tree(small: PhantomConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "tree"
    write_phantom(root, small, workers=1)
    return root


@dataclass(frozen=True)
class Planted:
    """A faulty tree, read without any of our readers."""

    root: Path

    @cached_property
    def faults(self) -> dict[str, list[str]]:
        content = json.loads((self.root / PHANTOM_FAULTS).read_text())
        assert content["format"] == "mammoscope-phantom-faults"
        return content["faults"]

    @cached_property
    def rows(self) -> list[Row]:
        found = []
        for kind, published in FILES:
            with (self.root / case_file_name(kind, published)).open(newline="") as handle:
                cells = [{key: value.strip() for key, value in row.items()} for row in csv.DictReader(handle)]
            found += [row | {"file": f"{kind} {published}"} for row in cells]
        return found

    def row(self, key: str) -> Row:
        (row,) = (row for row in self.rows if row["ROI mask file path"].split("/")[0] == key)
        return row

    def rows_on(self, mammogram: str) -> list[Row]:
        return [row for row in self.rows if row["image file path"].split("/")[0] == mammogram]

    @cached_property
    def folders(self) -> dict[str, list[Path]]:
        """By what a folder's name keeps of its series' UID."""
        found = defaultdict(list)
        for path in sorted(self.root.glob("CBIS-DDSM/*/*/*")):
            found[path.name[-5:]].append(path)
        return found

    def files(self, series_uid: str) -> list[Path]:
        return [path for folder in self.folders[series_uid[-5:]] for path in sorted(folder.iterdir())]

    def film(self, mammogram: str) -> pydicom.FileDataset:
        uid = self.rows_on(mammogram)[0]["image file path"].split("/")[2]
        return pydicom.dcmread(self.files(uid)[0])

    def roi(self, key: str) -> dict[str, pydicom.FileDataset]:
        """By SeriesDescription, which was right in all real files seen."""
        row = self.row(key)
        uids = {row[f"{name} file path"].split("/")[2] for name in ("cropped image", "ROI mask")}
        datasets = [pydicom.dcmread(path) for uid in uids for path in self.files(uid)]
        return {dataset.SeriesDescription: dataset for dataset in datasets}


@pytest.fixture(scope="session")
def planted(small: PhantomConfig, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    root = tmp_path_factory.mktemp("faults") / "tree"
    write_phantom(root, replace(small, patients=44), faults=tuple(Trap), workers=1)
    return Planted(root)


@pytest.fixture(scope="session")
def single(small: PhantomConfig, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """One fault, which no row of the case descriptions shows."""
    root = tmp_path_factory.mktemp("faults") / "single"
    write_phantom(root, replace(small, patients=24, seed=1), faults=[Trap.repeated_file], workers=1)
    return Planted(root)
