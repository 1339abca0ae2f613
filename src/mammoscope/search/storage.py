"""search.storage -> an Optuna storage that several processes may open, and the locks of its searches."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mammoscope.errors import MammoscopeError

ALLOWED = (
    "sqlite:///<file> (one host), postgresql://<user>:<password>@<host>/<database>, or journal:///<file> (a file "
    "system that several hosts share)"
)
SQLITE, JOURNAL, POSTGRESQL = "sqlite:///", "journal:///", "postgresql"
LOCK_TIMEOUT_S = 600.0
_WAIT_FOR_SQLITE_S = 60.0

Lock = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Storage:
    """`lock(name)` is held by one process at a time, of all that share the storage, and falls with it."""

    given: str  # as a person may see it: without a password
    optuna: BaseStorage
    lock: Lock
    close: Callable[[], None] = lambda: None


def open_storage(url: str) -> Storage:
    """Made, or migrated to this version of Optuna, where that is needed: by one process, while others wait.

    Raises MammoscopeError for a URL that is none of ours, a place that cannot be written, a server that does not
    answer, a file that is something else.
    """
    if url.startswith(JOURNAL):
        return _open_journal(url)
    if url.startswith(SQLITE):
        return _open_sqlite(url)
    if url.startswith(POSTGRESQL):
        return _open_postgresql(url)
    raise _refusal(without_password(url), "not a place where searches can be kept")


def without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def _refusal(url: str, reason: str) -> MammoscopeError:
    return MammoscopeError(f"search.storage={url}: {reason}; allowed: {ALLOWED}")


def _path(url: str, scheme: str) -> Path:
    name = url.removeprefix(scheme)
    if not name or name == ":memory:" or "?" in name or "%" in name:
        raise _refusal(url, "not a file that a search can be kept in")
    path = Path(name).expanduser().resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(url, f"{path.parent} cannot be made ({error.strerror})") from error
    if path.is_dir():
        raise _refusal(url, f"{path} is a folder")
    return path


def _file_locks(url: str, path: Path) -> Lock:
    """Beside the file; an flock, which the kernel drops with the process."""

    @contextmanager
    def locked(name: str) -> Iterator[None]:
        place = path.with_name(f"{path.name}.locks") / hashlib.sha256(name.encode()).hexdigest()[:16]
        try:
            place.parent.mkdir(exist_ok=True)
            lock = FileLock(place, is_singleton=True)
            lock.acquire(timeout=LOCK_TIMEOUT_S)
        except Timeout as error:
            raise _refusal(url, f"{place} is held by another process for {LOCK_TIMEOUT_S:.0f} s") from error
        except OSError as error:
            raise _refusal(url, f"{place} cannot be written ({error.strerror})") from error
        try:
            yield
        finally:
            lock.release()

    return locked


def _open_sqlite(url: str) -> Storage:
    path = _path(url, SQLITE)
    lock = _file_locks(url, path)
    with lock("opening"):
        storage = _relational(url, f"{SQLITE}{path}", {"connect_args": {"timeout": _WAIT_FOR_SQLITE_S}})
    return Storage(url, storage, lock, partial(_close, storage))


def _close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _fast_sqlite(connection: object, record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")  # readers do not wait for whoever writes
    cursor.execute("PRAGMA synchronous=NORMAL")  # a machine that stops may lose the last moment, never the file
    cursor.close()


def _open_postgresql(url: str) -> Storage:
    shown = without_password(url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _refusal(shown, "not a URL") from error
    if parsed.drivername == POSTGRESQL:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg" and find_spec("psycopg") is None:
        raise _refusal(shown, "psycopg, which talks to PostgreSQL, is not installed: pip install 'psycopg[binary]'")
    whole = parsed.render_as_string(hide_password=False)
    lock = _advisory_locks(shown, whole)
    with lock("opening"):  # Optuna's own making of the tables fails for all but one of several processes
        storage = _relational(shown, whole, {"pool_pre_ping": True, "pool_size": 2})
    return Storage(shown, storage, lock, partial(_close, storage))


def _advisory_locks(shown: str, url: str) -> Lock:
    """Of the server: falls with the connection."""
    engine = create_engine(url, poolclass=NullPool)
    held: set[str] = set()

    @contextmanager
    def locked(name: str) -> Iterator[None]:
        if name in held:  # a block within a block is let in
            yield
            return
        key = int.from_bytes(hashlib.sha256(f"mammoscope {name}".encode()).digest()[:8], signed=True)
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise _refusal(shown, f"does not answer ({_first_line(error)})") from error
        with connection:
            connection.execute(text(f"SET lock_timeout = {int(LOCK_TIMEOUT_S * 1000)}"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
            connection.commit()  # the lock is the session's: no transaction is left open
            held.add(name)
            try:
                yield
            finally:
                held.discard(name)
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                connection.commit()

    return locked


def _relational(shown: str, url: str, engine_kwargs: dict[str, object]) -> RDBStorage:
    try:
        storage = RDBStorage(url, engine_kwargs=engine_kwargs, skip_compatibility_check=True)
        if url.startswith(SQLITE):
            event.listen(storage.engine, "connect", _fast_sqlite)
            storage.engine.dispose()  # connections that were made before
        if storage.get_current_version() != storage.get_head_version():
            storage.upgrade()
        return storage
    except (SQLAlchemyError, RuntimeError, optuna.exceptions.StorageInternalError) as error:
        raise _refusal(shown, f"cannot be opened ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


class _Flock:
    """Falls with its process, where Optuna's own locks hold up everybody for 30 s after a kill. Final."""

    def __init__(self, path: Path):
        self._lock = FileLock(path, thread_local=False)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _open_journal(url: str) -> Storage:
    path = _path(url, JOURNAL)
    lock = _file_locks(url, path)
    with lock("opening"):
        writing = _Flock(path.with_name(f"{path.name}.locks") / "writing")
        try:
            backend: BaseJournalBackend = JournalFileBackend(str(path), lock_obj=writing)  # type: ignore[arg-type]
            _mend(path, writing)
            storage = JournalStorage(backend)
        except (OSError, ValueError, KeyError) as error:
            raise _refusal(url, f"{path} is not a journal of Optuna ({_first_line(error)})") from error
    return Storage(url, storage, lock)


def _mend(path: Path, writing: _Flock) -> None:
    """Cuts a last line that a killed process has left without its end: nobody could read the file with it."""
    writing.acquire()
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            keep = size
            while keep > 0:
                start = max(0, keep - (1 << 16))
                file.seek(start)
                block = file.read(keep - start)
                if (end := block.rfind(b"\n")) >= 0:
                    keep = start + end + 1
                    break
                keep = start
            if keep != size:
                file.truncate(keep)
    finally:
        writing.release()
