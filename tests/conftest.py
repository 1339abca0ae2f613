"""What several test modules stand on."""

import signal
from pathlib import Path

import pytest

import mammoscope.tracking  # noqa: F401  (settles MLflow's environment, which must come before `import mlflow`)

# A shell has what it starts with `&` ignore Ctrl-C, children included; tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real CBIS-DDSM material that lies beside a developer's checkout, and nowhere else."""
    if not SHARED.is_dir():
        pytest.skip("needs the real CBIS-DDSM material in ../shared, which is not part of the repository")
    return SHARED
