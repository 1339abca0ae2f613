"""A PostgreSQL server of Debian's package for the length of a test session."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
AS_POSTGRES = ("runuser", "-u", "postgres", "--") if os.getuid() == 0 else ()  # it does not run as root


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Its URL."""
    binaries, data = BINARIES[-1].parent, folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if AS_POSTGRES:
        for place in (folder, *folder.parents):  # pytest's own folders let nobody else through
            if place == Path("/tmp"):
                break
            place.chmod(place.stat().st_mode | 0o111)
        shutil.chown(folder, "postgres")
    _run(binaries / "initdb", "-D", data, "-U", "searcher", "--auth=trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    _run(binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://searcher:secret@127.0.0.1:{port}/postgres"
    finally:
        _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(*command: object) -> None:
    subprocess.run([*AS_POSTGRES, *map(str, command)], check=True, capture_output=True, cwd="/")
