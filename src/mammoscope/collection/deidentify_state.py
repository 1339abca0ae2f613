"""How far a tree is de-identified, so that the same command goes on; it lies beside the destination, not in it.

Files are named by what the key makes of their names: whoever has no key cannot tell from it who became who.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, TextIO

from filelock import FileLock, Timeout

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole

FORMAT: Final = "mammoscope-deidentify-1"
REJECTS: Final = "rejects.csv"
_SETTINGS: Final = "settings.json"
_DONE: Final = "done.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a destination is made with; with anything else it would no longer fit together."""

    key: str  # the key's name, see keys.key_name
    shifts_dates: bool
    retains_device: bool
    is_reviewed: bool
    format: str = FORMAT


@dataclass(frozen=True, slots=True)
class Done:
    source: str  # see DicomPseudonyms.source
    target: str  # below the destination


@dataclass(slots=True)
class State:
    """done: by source."""

    folder: Path
    done: dict[str, Done]
    _journal: TextIO = field(repr=False)

    @property
    def rejects(self) -> Path:
        return self.folder / REJECTS

    def add(self, done: Done) -> None:
        """Once the file is in its place: a run that is killed before does it again, and gets the same."""
        self.done[done.source] = done
        self._journal.write(json.dumps([done.source, done.target]) + "\n")
        self._journal.flush()


def state_folder(dest: Path) -> Path:
    place = Path(os.path.abspath(dest))  # of `.`, too
    return place.with_name(f"{place.name}.deidentify")


@contextmanager
def open_state(dest: Path, settings: Settings) -> Iterator[State]:
    """For one process at a time.

    Raises: MammoscopeError where the destination was begun with other settings, or holds what is not from here.
    """
    folder = state_folder(dest)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            _check_settings(folder / _SETTINGS, dest, settings)
            journal = folder / _DONE
            done = {one.source: one for one in _read(journal) if (dest / one.target).exists()}
            with open(journal, "a", encoding="ascii") as file:
                yield State(folder, done, file)
    except Timeout as error:
        raise MammoscopeError(f"DEST {dest}: another process is writing to it") from error
    except OSError as error:
        raise MammoscopeError(f"{folder}: {error.strerror or error}") from error


def _check_settings(path: Path, dest: Path, settings: Settings) -> None:
    if path.exists():
        before = json.loads(path.read_text(encoding="ascii"))
        for name, value in asdict(settings).items():
            if before.get(name) != value:
                what = "another key" if name == "key" else f"{name}={before.get(name)}"
                raise MammoscopeError(f"DEST {dest}: was begun with {what}; allowed: the same, or another folder")
        return
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise MammoscopeError(f"DEST {dest}: holds what this command did not write; allowed: a new or empty folder")
    with written_whole(path) as unfinished:
        unfinished.write_text(json.dumps(asdict(settings)) + "\n", encoding="ascii")


def _read(journal: Path) -> Iterator[Done]:
    """A line that a killed process left half is taken off."""
    if not journal.exists():
        return
    content = journal.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(journal, len(whole))
    for line in whole.splitlines():
        source, target = json.loads(line)
        yield Done(source, target)
