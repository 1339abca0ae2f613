"""What several test modules stand on."""

from pathlib import Path

import pytest

import mammoscope.tracking  # noqa: F401  (settles MLflow's environment, which must come before `import mlflow`)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real CBIS-DDSM material that lies beside a developer's checkout, and nowhere else."""
    if not SHARED.is_dir():
        pytest.skip("needs the real CBIS-DDSM material in ../shared, which is not part of the repository")
    return SHARED
