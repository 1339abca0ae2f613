"""A small phantom that is drawn once, and runs on it that take seconds."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mammoscope.compose import compose_config
from mammoscope.config import PhantomConfig, TrainConfig
from mammoscope.phantom import write_phantom

from ..small import small_run


@pytest.fixture(scope="session")
def phantom_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source") / "phantom"
    config = PhantomConfig(patients=60, seed=1, d_prime=2.5, height_px=256, width_px=176, test_fraction=0.3)
    write_phantom(root, config, workers=1)
    return root


@pytest.fixture(scope="session")
def store_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all tests: what one has prepared, the next one opens."""
    return tmp_path_factory.mktemp("store") / "store"


@pytest.fixture(scope="session")
def configure_in(phantom_root: Path, store_root: Path) -> Callable[..., TrainConfig]:
    """(home, *overrides) -> the config of a run of seconds, tracked in `home`."""

    def compose(home: Path, *overrides: str) -> TrainConfig:
        return compose_config([*small_run(phantom_root, store_root, home), *overrides])

    return compose


@pytest.fixture
def configure(configure_in: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., TrainConfig]:
    """The same, tracked in the test's own folder."""
    return partial(configure_in, tmp_path)
