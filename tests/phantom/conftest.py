"""One small phantom for all tests that want files."""

from pathlib import Path

import pytest

from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom


@pytest.fixture(scope="session")
def small() -> PhantomConfig:
    return PhantomConfig(patients=24, seed=3, d_prime=1.8, height_px=240, width_px=160, test_fraction=0.25)


@pytest.fixture(scope="session")
def tree(small: PhantomConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "tree"
    write_phantom(root, small, workers=1)
    return root
