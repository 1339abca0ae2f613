"""toy.py lies beside the tests that use it, and is run as a program too."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import postgresql as debian


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not debian.BINARIES:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with debian.server(tmp_path_factory.mktemp("postgresql")) as url:
        yield url
