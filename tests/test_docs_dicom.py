"""docs/dicom.md: its commands run as written, one after the other, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
TEXT = (CHECKOUT / "docs" / "dicom.md").read_text("utf-8")
STATUS = {"nifti phantom": 1, "phi phantom": 1, "deidentify phantom": 1}  # films are no volumes; CSVs are no DICOM


def commands() -> list[str]:
    return re.findall(r"^mammoscope (?:data|dicom) .+$", TEXT, re.MULTILINE)


@pytest.mark.slow
def test_every_command_runs_as_it_is_written(tmp_path: Path):
    verbs = {command.split()[2] for command in commands()}
    assert verbs == {"phantom", "show", "headers", "nifti", "export", "verify", "phi", "deidentify"}
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "src")}
    for command in commands():
        module = f"{sys.executable} -m mammoscope.cli.__main__"
        shell = command.replace("mammoscope", module, 1).replace("$(python ", f"$({sys.executable} ")
        done = subprocess.run(
            ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        said = f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        assert done.returncode == STATUS.get(" ".join(command.split()[2:4]), 0), said
    names = {path.name for path in tmp_path.iterdir()}
    assert {"film.png", "patient.png", "sheet-001.html", "plain", "table.census.parquet", "clean"} <= names
    assert len(list((tmp_path / "volumes").glob("*.nii.gz"))) == 1
    (script,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    script += "\nassert film.raw.shape == picture.shape\nassert warnings == ['W-VM']\n"
    script += "assert 'Modality' in names\nassert 'PatientID' in identifying\nassert result.rows == 101\n"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
