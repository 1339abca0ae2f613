"""`tracking.uri` -> where things lie on this disk, and whether they can."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mammoscope.errors import MammoscopeError

ALLOWED = "sqlite:///<file> (relative to the working directory), sqlite:////<file> (absolute), http:// or https://"
SQLITE = "sqlite:///"
SQLITE_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An understood tracking URI. `database` is None where a server keeps the runs."""

    given: str  # as the user wrote it, for messages
    uri: str  # what MLflow is told: absolute, so that a later chdir changes nothing
    folder: Path  # absolute; holds runs/<run_id>/
    lock: Path
    database: Path | None

    @property
    def artifacts(self) -> Path:
        """Where the runs of an embedded store keep their artifacts: beside the database, never in a cwd's mlruns."""
        return self.folder / "artifacts"

    def refusal(self, reason: str) -> MammoscopeError:
        return refusal(self.given, reason)


def refusal(uri: str, reason: str) -> MammoscopeError:
    return MammoscopeError(f"tracking.uri={uri}: {reason}; allowed: {ALLOWED}")


def locate(uri: str, home: Path) -> Location:
    """Raises MammoscopeError for anything but a SQLite file or an http(s) server. Touches no disk."""
    if uri.startswith(("http://", "https://")):
        folder = home.expanduser().resolve()
        return Location(given=uri, uri=uri.rstrip("/"), folder=folder, lock=folder / "tracking.lock", database=None)
    path = uri.removeprefix(SQLITE)
    if path == uri or path in ("", ":memory:"):
        raise refusal(uri, "not a place where runs can be kept")
    if "?" in path or "%" in path:
        raise refusal(uri, "the path may hold neither ? nor %, which mean something else in a URI")
    database = Path(path).expanduser().resolve()
    return Location(
        given=uri,
        uri=f"{SQLITE}{database}",
        folder=database.parent,
        lock=database.with_name(f"{database.name}.lock"),
        database=database,
    )


def check_database(location: Location) -> bool:
    """Whether the database exists, with tables. Call it under the lock.

    MLflow would retry for 100 s on a file that is none, and add its tables to another program's database.

    Raises MammoscopeError where the file is not an MLflow database that can be written.
    """
    database = location.database
    if database is None or not database.exists():
        return False
    if not database.is_file():
        raise location.refusal(f"{database} is not a file")
    try:
        with database.open("r+b") as file:
            magic = file.read(len(SQLITE_MAGIC))
        if not magic:
            return False
        tables = _tables(database) if magic == SQLITE_MAGIC else None
    except (OSError, sqlite3.DatabaseError) as error:
        raise location.refusal(f"{database} cannot be opened for writing ({error})") from error
    if tables is None:
        raise location.refusal(f"{database} is not an SQLite database")
    if tables and not {"alembic_version", "experiments"} <= tables:
        raise location.refusal(
            f"{database} is a database of another program, with tables {', '.join(sorted(tables)[:3])}"
        )
    return bool(tables)


def _tables(database: Path) -> set[str]:
    # Not read only: a process that was killed may have left a transaction, which the next one to read takes back.
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=20)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
