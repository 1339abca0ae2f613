from pathlib import Path

import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom
from mammoscope.records import Catalog


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: a test that changes a tree changes its own copy."""
    root = tmp_path_factory.mktemp("source") / "phantom"
    config = PhantomConfig(patients=40, seed=5, d_prime=2.0, height_px=192, width_px=128, test_fraction=0.3)
    write_phantom(root, config, workers=1)
    return root


@pytest.fixture(scope="session")
def catalog(phantom: Path) -> Catalog:
    return index_cbis_ddsm(phantom, workers=1)
