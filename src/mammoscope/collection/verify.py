"""Every file of a tree verified, in the tree's order; what was done is kept until the last, so that it can go on."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import TextIOBase
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from mammoscope.dicom.conformance.verify import Finding, verify_file
from mammoscope.errors import MammoscopeError
from mammoscope.pool import Pool

SCHEMA: Final = pa.schema(
    [("path", pa.string()), ("code", pa.string()), ("times", pa.int64()), ("reason", pa.string())]
)
FORMAT: Final = "mammoscope-verified-1"  # raise it where the same file gives other findings


@dataclass(frozen=True, slots=True)
class FileState:
    """Tells whether a file is still the one that was verified."""

    path: str
    size: int  # -1 where the system does not say
    mtime_ns: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What is kept of it: folders are named after patients."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:32], self.size, self.mtime_ns


@dataclass(frozen=True, slots=True)
class Verdict:
    path: str
    findings: tuple[Finding, ...]  # none: nothing is wrong with it

    @property
    def rows(self) -> list[tuple[str, str, int, str]]:
        """Of SCHEMA."""
        return [(self.path, found.code, found.times, found.reason) for found in self.findings]


Kept = Mapping[tuple[str, int, int], tuple[Finding, ...]]  # by FileState.key


def verify_files(
    files: Sequence[Path], journal: Path, pool: Pool, broken: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Verdict]:
    """In the given order, each as soon as it is there. broken: see verify_file.

    journal: where findings are kept until the last is given. Raises: MammoscopeError where it cannot be written.
    """
    states = [_state(path) for path in files]
    kept = read_journal(journal)
    work = partial(_verify, dict(broken))
    fresh = pool.map(work, (state.path for state in states if state.key not in kept))
    with _written(journal, kept) as lines:
        for state in states:
            findings = kept.get(state.key)
            if findings is None:
                findings = next(fresh)
                if not any(f.code == "E-UNDECODABLE" for f in findings):  # a decoder may be mended before it goes on
                    lines.write(_line(state.key, findings))
            yield Verdict(state.path, findings)
    with suppress(OSError):
        journal.unlink()  # the next one is to read every file again: disks forget, too


def journal_file(store_root: Path, root: Path) -> Path:
    """One a tree, by a name that tells nobody where it lies."""
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return store_root / "verified" / f"{digest}.jsonl"


def read_journal(journal: Path) -> Kept:
    """Nothing where there is none, or none of this format. A last line that was cut is left out."""
    kept: dict[tuple[str, int, int], tuple[Finding, ...]] = {}
    try:
        with open(journal, encoding="ascii") as file:
            if json.loads(next(file, "null")) != FORMAT:
                return {}
            for line in file:
                digest, size, mtime_ns, findings = json.loads(line)
                kept[digest, size, mtime_ns] = tuple(Finding(*finding) for finding in findings)
    except (OSError, ValueError, TypeError):
        pass
    return kept


def _verify(broken: Mapping[str, str], path: str) -> tuple[Finding, ...]:
    return verify_file(Path(path), broken)


def _state(path: Path) -> FileState:
    try:
        status = path.stat()
    except OSError:  # reading it says why
        return FileState(str(path), -1, -1)
    return FileState(str(path), status.st_size, status.st_mtime_ns)


@contextmanager
def _written(journal: Path, kept: Kept) -> Iterator[TextIOBase]:
    """Begun anew with what is known: what it had else may have been cut, or be of another format."""
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with open(journal, "w", encoding="ascii") as file:
            file.write(json.dumps(FORMAT) + "\n")
            file.writelines(_line(key, findings) for key, findings in kept.items())
            yield file
    except OSError as error:
        raise MammoscopeError(f"store.root: {journal} cannot be written: {error.strerror or error}") from error


def _line(key: tuple[str, int, int], findings: tuple[Finding, ...]) -> str:
    return json.dumps([*key, [[f.code, f.reason, f.times] for f in findings]]) + "\n"
