"""A whole tree de-identified: each file becomes an output or a refusal with a code, and what is done stays done.

Outputs are written in a folder of the destination that nobody looks into, checked there, and moved into place.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mammoscope.collection.deidentify_state import Done, State
from mammoscope.dicom.privacy.deidentify import Deidentifier, Subject
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.listing import ListedFile
from mammoscope.pool import Pool

FILES_AT_ONCE: Final = 8
_UNFINISHED: Final = ".unfinished"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one file: its subject, and where it went; or why it went nowhere."""

    path: str  # of the source, below the root
    subject: Subject | None
    target: str | None  # below the destination
    error: DicomError | None


@dataclass(frozen=True, slots=True)
class _Written:
    file: ListedFile
    subject: Subject | None
    unfinished: str | None
    error: DicomError | None


def deidentify_tree(
    root: Path,
    dest: Path,
    files: Sequence[ListedFile],
    deidentifier: Deidentifier,
    state: State,
    pool: Pool,
    *,
    names_done: bool = False,
) -> Iterator[Outcome]:
    """The outcome of each file, in the order of the files.

    names_done: to read the subjects of files that were done before, too, which else have none.
    Raises: MammoscopeError where the destination cannot be written to.
    """
    unfinished = dest / _UNFINISHED
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for left in unfinished.iterdir():  # by a run that was killed
            left.unlink()
        work = partial(_write, str(root), str(unfinished), deidentifier, names_done)
        names = {file.path: deidentifier.pseudonyms.source(file.path, file.size, file.mtime_ns) for file in files}
        claimed = {done.target for done in state.done.values()}
        tasks = ((file, names[file.path] in state.done) for file in files)
        for written in pool.map(work, tasks, at_once=FILES_AT_ONCE):
            yield _place(written, names[written.file.path], dest, state, claimed)
        unfinished.rmdir()
    except OSError as error:
        raise MammoscopeError(f"DEST {dest}: {error.strerror or error}") from error


def _write(
    root: str, unfinished: str, deidentifier: Deidentifier, names_done: bool, task: tuple[ListedFile, bool]
) -> _Written:
    file, is_done = task
    source = Path(root, file.path)
    if file.fault is not None:
        return _Written(file, None, None, DicomError("E-UNREADABLE", str(source), file.fault))
    result = Path(unfinished, secrets.token_hex(16))
    try:
        if is_done:
            return _Written(file, deidentifier.subject(source) if names_done else None, None, None)
        subject = deidentifier.deidentify(source, result)
        with open(result, "rb") as written:
            os.fsync(written.fileno())
        return _Written(file, subject, str(result), None)
    except DicomError as error:
        result.unlink(missing_ok=True)
        return _Written(file, None, None, error)


def _place(written: _Written, name: str, dest: Path, state: State, claimed: set[str]) -> Outcome:
    path = written.file.path
    if written.error is not None:
        return Outcome(path, None, None, written.error)
    if written.unfinished is None:
        return Outcome(path, written.subject, state.done[name].target, None)
    assert written.subject is not None, "who wrote it knows whose it is"
    target = str(written.subject.target)
    if target in claimed:
        os.unlink(written.unfinished)
        reason = "its SOPInstanceUID, series and study are those of another file, which was taken"
        return Outcome(path, None, None, DicomError("E-DUPLICATE-UID", path, reason))
    claimed.add(target)
    place = dest / target
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(written.unfinished, place)
    state.add(Done(name, target))
    return Outcome(path, written.subject, target, None)
