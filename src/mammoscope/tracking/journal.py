"""A run's outbox: what it tells goes to this disk first, and is gone from it when the tracking store has it.

    <run folder>/outbox/<when>-<token>/     one for each process that writes into the run, in the order of their names
        journal.jsonl   a header (whose runs these are), then one line an entry
        sent            how far the journal is sent, in bytes
        files/          artifacts that wait
        lock            held by whoever sends: the process that writes, later `mammoscope runs --sync`

A process may be killed between sending an entry and saying so in `sent`: that entry is sent once more.
"""

import errno
import itertools
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from filelock import FileLock, Timeout

from mammoscope.files import written_whole
from mammoscope.tracking.entries import Artifact, Entry, from_line, to_line

OUTBOX = "outbox"
REFUSED = "refused"
JOURNAL = "journal.jsonl"
SENT = "sent"
READ_AT_ONCE = 1000  # entries


@final
class Journal:
    """An outbox whose lock this process holds. Appending and sending may be two threads."""

    def __init__(self, folder: Path, lock: FileLock):
        self.folder = folder
        self._lock = lock
        self._numbers = itertools.count()
        self._start = self._sent_until()

    @property
    def address(self) -> str:
        """The tracking store that the run lives in, without a password."""
        with (self.folder / JOURNAL).open("rb") as file:
            return str(json.loads(file.readline())["address"])

    def append(self, entries: Sequence[Entry]) -> None:
        """All of them or none, and on the disk itself: they outlive the process and the machine's power.

        Raises OSError where the disk takes no more.
        """
        lines = "".join(f"{to_line(entry)}\n" for entry in entries).encode()
        descriptor = os.open(self.folder / JOURNAL, os.O_WRONLY | os.O_APPEND)
        try:
            length = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, lines) < len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder / JOURNAL))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, length)  # half a line would swallow the next
                raise
        finally:
            os.close(descriptor)

    @contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        """A path of that name to write to, for an artifact that is then appended. OSError leaves nothing behind."""
        place = self.folder / "files" / str(next(self._numbers))
        try:
            place.mkdir(parents=True)
            yield place / name
            with (place / name).open("rb") as written:
                os.fsync(written.fileno())
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def copy_of(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def unsent(self) -> list[tuple[Entry, int]]:
        """The next entries, each with what `sent` holds once it is sent."""
        found: list[tuple[Entry, int]] = []
        until = self._start
        with (self.folder / JOURNAL).open("rb") as file:
            file.seek(until)
            for line in itertools.islice(file, READ_AT_ONCE):
                if not line.endswith(b"\n"):  # is being written, or its process died over it
                    break
                until += len(line)
                found.append((from_line(line.decode()), until))
        return found

    def count_unsent(self) -> int:
        with (self.folder / JOURNAL).open("rb") as file:
            file.seek(self._start)
            return sum(line.endswith(b"\n") for line in file)

    def mark_sent(self, entries: Sequence[tuple[Entry, int]]) -> None:
        self._advance(entries[-1][1])
        for entry, _ in entries:
            if isinstance(entry, Artifact):
                shutil.rmtree((self.folder / entry.copy).parent, ignore_errors=True)

    def mark_refused(self, entry: Entry, until: int, reason: str) -> None:
        """It is not tried again; close() keeps it, with its file, for a person to look at."""
        with (self.folder / f"{REFUSED}.jsonl").open("a") as file:
            file.write(json.dumps({"reason": reason, "entry": to_line(entry)}) + "\n")
        self._advance(until)

    def close(self) -> None:
        """Takes the outbox away if nothing waits in it, and lets others have it."""
        with suppress(OSError):  # FileNotFoundError: the run was discarded
            if (self.folder / f"{REFUSED}.jsonl").exists() and not self.count_unsent():
                kept = self.folder.parents[1] / REFUSED
                kept.mkdir(exist_ok=True)
                self.folder.rename(kept / self.folder.name)
            elif not self.count_unsent():
                (self.folder / JOURNAL).unlink()  # first: an outbox without it is none
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.parent.rmdir()  # OSError: another process writes into the run
        self._lock.release()

    def _sent_until(self) -> int:
        with suppress(FileNotFoundError, ValueError):  # ValueError: the machine stopped before it was on the disk
            return int((self.folder / SENT).read_text())
        with (self.folder / JOURNAL).open("rb") as file:
            return len(file.readline())

    def _advance(self, until: int) -> None:
        self._start = until
        draft = self.folder / f"{SENT}.draft"
        draft.write_text(str(until))
        draft.replace(self.folder / SENT)


def new_journal(run_folder: Path, address: str) -> Journal:
    """Raises OSError where it cannot be made. It shows under its name once it is whole and locked."""
    name = f"{time.time_ns()}-{secrets.token_hex(2)}"
    draft = run_folder / OUTBOX / f".{name}"
    draft.mkdir(parents=True)
    lock = _lock(draft)
    lock.acquire(blocking=False)
    with written_whole(draft / JOURNAL) as temporary:
        temporary.write_text(json.dumps({"address": address}) + "\n")
    return Journal(draft.rename(draft.with_name(name)), lock)


def outboxes(run_folder: Path) -> list[Path]:
    """Those in which something may wait, oldest first; also of processes that live."""
    return sorted(path.parent for path in run_folder.glob(f"{OUTBOX}/[0-9]*/{JOURNAL}"))


def take_journal(outbox: Path) -> Journal | None:
    """What a process that is gone left behind; None where one that lives is at it, or nothing is there any more."""
    lock = _lock(outbox)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    if (outbox / JOURNAL).exists():
        return Journal(outbox, lock)
    lock.release()
    shutil.rmtree(outbox, ignore_errors=True)  # filelock makes the folder of a lock anew
    return None


def waits(run_folder: Path) -> bool:
    """Whether anything of the run is yet to be sent, or a living process may still tell something."""
    return any(_waits(outbox) for outbox in outboxes(run_folder))


def _waits(outbox: Path) -> bool:
    journal = take_journal(outbox)
    if journal is None:
        return (outbox / JOURNAL).exists()
    left = journal.count_unsent()
    journal.close()
    return left > 0


def _lock(outbox: Path) -> FileLock:
    return FileLock(outbox / "lock", thread_local=False)
