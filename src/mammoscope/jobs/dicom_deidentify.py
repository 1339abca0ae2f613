"""`mammoscope dicom deidentify ROOT DEST`: a tree of files again, with nobody's name on it."""

import csv
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.table import Table

from mammoscope.collection.deidentify import Outcome, deidentify_tree
from mammoscope.collection.deidentify_state import Settings, open_state, state_folder
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.privacy.deidentify import Deidentifier
from mammoscope.dicom.privacy.profile import Options
from mammoscope.dicom.privacy.pseudonyms import DicomPseudonyms
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside, written_whole
from mammoscope.jobs.dicom_phi import listed
from mammoscope.keys import draw_key, read_key
from mammoscope.pool import open_pool
from mammoscope.reporting.console import console, progress, say

_REJECT_COLUMNS: Final = ("path", "code", "reason")
_MAPPING_COLUMNS: Final = (
    "source",
    "target",
    "patient_id",
    "pseudonym",
    "days",
    "study_uid",
    "new_study_uid",
    "series_uid",
    "new_series_uid",
    "sop_uid",
    "new_sop_uid",
)

Write = Callable[[Sequence[object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentifyOptions:
    key_file: Path
    draws_key: bool = False
    shifts_dates: bool = False
    retains_device: bool = False
    is_reviewed: bool = False  # see Deidentifier
    mapping: Path | None = None
    workers: int = 0


def deidentify(root: Path, dest: Path, options: DeidentifyOptions) -> bool:
    """Whether every file was de-identified; those that were not are in the table of rejects.

    Raises: MammoscopeError for a key, a place or a destination that cannot be used; then nothing has been written.
    """
    _check_places(root, dest, options)
    top, files = listed(root)
    pseudonyms = DicomPseudonyms(_key(options.key_file, draws=options.draws_key))
    profile = Options(shifts_dates=options.shifts_dates, retains_device=options.retains_device)
    deidentifier = Deidentifier(pseudonyms=pseudonyms, options=profile, is_reviewed=options.is_reviewed)
    settings = Settings(
        key=pseudonyms.key_name,
        shifts_dates=options.shifts_dates,
        retains_device=options.retains_device,
        is_reviewed=options.is_reviewed,
    )
    rejects = Counter[str]()
    with open_state(dest, settings) as state, open_pool(options.workers) as pool:
        if state.done:
            say(f"going on: {len(state.done)} files were de-identified before it was interrupted, or in an earlier run")
        with (
            _table(state.rejects, _REJECT_COLUMNS) as reject,
            _table(options.mapping, _MAPPING_COLUMNS) as tell,
            progress("de-identifying") as step,
        ):
            names_done = options.mapping is not None
            outcomes = deidentify_tree(top, dest, files, deidentifier, state, pool, names_done=names_done)
            for done, outcome in enumerate(outcomes, start=1):
                if outcome.error is not None:
                    rejects[outcome.error.code] += 1
                    reject((outcome.path, outcome.error.code, outcome.error.reason))
                elif outcome.subject is not None:
                    tell(_mapped(outcome, pseudonyms))
                step(done, len(files))
    _say_summary(len(files), rejects, dest)
    return not rejects


def _check_places(root: Path, dest: Path, options: DeidentifyOptions) -> None:
    if not root.exists():
        raise MammoscopeError(f"ROOT={root} does not exist; allowed: a folder with DICOM files in it, or one file")
    refuse_inside(root, dest, f"DEST {dest}", source_key="ROOT")
    refuse_inside(
        root, state_folder(dest), f"DEST {dest}: the folder {state_folder(dest).name} beside it", source_key="ROOT"
    )
    kept = {"--key-file": options.key_file, "--mapping": options.mapping, "ROOT": root}
    for name, place in kept.items():
        if place is not None and place.expanduser().resolve().is_relative_to(dest.expanduser().resolve()):
            raise MammoscopeError(f"{name} {place} lies in DEST={dest}; allowed: a place elsewhere")
    if options.mapping is not None:
        refuse_inside(root, options.mapping, f"--mapping {options.mapping}", source_key="ROOT")


def _key(path: Path, *, draws: bool) -> bytes:
    """Raises: MammoscopeError where there is none, or one that others can read, or nothing that is one."""
    try:
        if draws and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_key(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise MammoscopeError(f"--key-file {path}: others can read it (mode {mode:04o}); allowed: 0600")
        return read_key(path)
    except FileNotFoundError as error:
        raise MammoscopeError(f"--key-file {path}: there is none; --new-key draws one") from error
    except OSError as error:
        raise MammoscopeError(f"--key-file {path}: {error.strerror or error}") from error


@contextmanager
def _table(path: Path | None, columns: Sequence[str]) -> Iterator[Write]:
    """A CSV file for its owner's eyes alone: it names files and patients."""
    if path is None:
        yield lambda row: None
        return
    with written_whole(path) as unfinished:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            yield writer.writerow


def _mapped(outcome: Outcome, pseudonyms: DicomPseudonyms) -> list[object]:
    subject = outcome.subject
    assert subject is not None, "asked only of those that have one"
    own = {"source": outcome.path, "target": outcome.target, "days": pseudonyms.days(subject.patient)}
    return [own[column] if column in own else getattr(subject, column) for column in _MAPPING_COLUMNS]


def _say_summary(files: int, rejects: Counter[str], dest: Path) -> None:
    refused = rejects.total()
    if rejects:
        table = Table("code", "files", "meaning", box=box.SIMPLE_HEAD)
        for code, count in sorted(rejects.items()):
            table.add_row(code, str(count), CODES[code])
        console.print(table)
        say(f"which, and why: {state_folder(dest)}/rejects.csv (it names files: keep it with the source)")
    say(f"{files} files: {files - refused} de-identified in {dest}, {refused} not")
