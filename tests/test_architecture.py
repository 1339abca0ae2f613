"""The floors and doors are checked by import-linter; here it is checked that it would say no."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "planted", "said"),
    [
        ("metrics/planted.py", "import mlflow", "mammoscope.metrics.planted -> mlflow"),
        ("catalog/planted.py", "import pydicom", "mammoscope.catalog.planted -> pydicom"),
        ("metrics/planted.py", "import mammoscope.jobs.train", "metrics is not allowed to import mammoscope.jobs"),
        ("phantom/planted.py", "import mammoscope.catalog.splits", "phantom is not allowed to import mammoscope"),
        ("utils/__init__.py", "", "mammoscope.utils"),
    ],
)
def test_a_planted_import_is_refused(copy: Path, module: str, planted: str, said: str):
    path = copy / "src/mammoscope" / module
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{planted}\n")
    done = lint(copy)
    assert done.returncode != 0
    assert said in " ".join(done.stdout.split())


def test_the_house_as_it_is_passes(copy: Path):
    done = lint(copy)
    assert done.returncode == 0, done.stdout
