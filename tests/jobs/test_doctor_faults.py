"""What was planted against what the doctor finds: a table, with not a row more or less."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mammoscope.config import PhantomConfig
from mammoscope.jobs.doctor import DoctorOptions, doctor
from mammoscope.phantom import write_phantom
from mammoscope.vocabulary import PHANTOM_FAULTS, Trap

SMALL = PhantomConfig(patients=76, seed=3, d_prime=2.0, height_px=192, width_px=128, test_fraction=0.3)

Table = dict[str, list[str]]


def planted_in(root: Path) -> Table:
    return json.loads((root / PHANTOM_FAULTS).read_text())["faults"]


def found_in(root: Path, folder: Path) -> Table:
    doctor(root, DoctorOptions(store_root=folder / "store", workers=1, output=folder / "out"))
    found: Table = {}
    for row in pq.read_table(folder / "out/findings.parquet").to_pylist():
        found.setdefault(row["trap"], []).append(row["row"])
    return {trap: sorted(rows) for trap, rows in found.items()}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Table]:
    folder = tmp_path_factory.mktemp("all")
    write_phantom(folder / "phantom", SMALL, faults=list(Trap), workers=1)
    return planted_in(folder / "phantom"), found_in(folder / "phantom", folder)


@pytest.mark.parametrize("trap", list(Trap))
def test_all_at_once(tables: tuple[Table, Table], trap: Trap):
    planted, found = tables
    assert planted[trap]
    assert found.get(trap, []) == planted[trap]


# Quick: the two on which other traps might hang, a file that is half there and one that is gone.
ALONE = [pytest.param(t, marks=() if t in (Trap.truncated, Trap.missing_series) else pytest.mark.slow) for t in Trap]


@pytest.mark.parametrize("trap", ALONE)
def test_one_alone(tmp_path: Path, trap: Trap):
    write_phantom(tmp_path / "phantom", replace(SMALL, patients=16), faults=[trap], workers=1)
    planted = planted_in(tmp_path / "phantom")
    assert list(planted) == [trap]
    assert found_in(tmp_path / "phantom", tmp_path) == planted
