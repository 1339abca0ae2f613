"""docs/dicom.md: its commands run as written, one after the other, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
TEXT = (CHECKOUT / "docs" / "dicom.md").read_text("utf-8")
STATUS = {"phantom": 0, "show": 0, "export": 0}  # by verb


def commands() -> list[str]:
    found = re.findall(r"^mammoscope (?:data|dicom) .+$", TEXT, re.MULTILINE)
    return [command for command in found if command.split()[2] in STATUS]


@pytest.mark.slow
def test_every_command_runs_as_it_is_written(tmp_path: Path):
    assert {command.split()[2] for command in commands()} == set(STATUS)
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "src")}
    for command in commands():
        module = f"{sys.executable} -m mammoscope.cli.__main__"
        shell = command.replace("mammoscope", module, 1)
        done = subprocess.run(
            ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == STATUS[command.split()[2]], f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    names = {path.name for path in tmp_path.iterdir()}
    assert {"film.png", "patient.png", "sheet-001.html", "plain"} <= names
