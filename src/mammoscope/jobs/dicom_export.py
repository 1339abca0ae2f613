"""`mammoscope dicom export ROOT -o DIR`: every image of a tree as PNG or npy, and one table of what they are."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mammoscope.collection.export import ExportTask, Format, Values, export_file
from mammoscope.collection.export_journal import LOCK, TABLE, TABLE_CSV, Journal, State
from mammoscope.collection.files import list_dicom
from mammoscope.dicom.headers.cards import read_card
from mammoscope.dicom.headers.lines import plain
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.files import refuse_inside, written_whole
from mammoscope.pool import open_pool
from mammoscope.reporting.console import progress, say

IMAGES: Final = "images"
REFUSED: Final = "refused.csv"
_WORTH_A_POOL: Final = 64 << 20  # bytes of files


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    output: Path
    format: Format
    values: Values
    workers: int  # 0: as many as there are cores


def export(root: Path, options: ExportOptions) -> bool:
    """Goes on where it was interrupted; files that changed are exported anew. Returns whether all could be.

    Raises: MammoscopeError for a root or an output that cannot be used.
    """
    if not root.is_dir():
        raise MammoscopeError(f"{root}: is no folder; allowed: a folder with DICOM files")
    refuse_inside(root, options.output, f"-o {options.output}", source_key="ROOT")
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(options.output / LOCK, timeout=0):
            return _export_all(root, options)
    except Timeout as error:
        raise MammoscopeError(f"-o {options.output}: another process exports into it; allowed: one") from error


def _export_all(root: Path, options: ExportOptions) -> bool:
    listing = list_dicom([root])
    states = {path: _state(root, path) for path in listing.files}
    folder = options.output / IMAGES
    journal = Journal(options.output, {"format": options.format, "values": options.values})
    folder.mkdir(exist_ok=True)
    _drop_leftovers(folder)
    to_do = [path for path, state in states.items() if not journal.is_done(state, folder)]
    if len(to_do) < len(states):
        say(f"{len(states) - len(to_do)} of {len(states)} files are exported already")
    refused = [*listing.refused, *_export(root, to_do, states, journal, options)]
    images = journal.write_tables(options.output, (path for path, _, _ in states.values()))
    _write_refused(options.output / REFUSED, refused)
    if listing.others:
        say(f"left out: {listing.others} files that are no DICOM")
    say(f"written: {images} images, {TABLE} and {TABLE_CSV} in {options.output}")
    if refused:
        say(f"{len(refused)} files could not be exported: {options.output / REFUSED}")
    return not refused


def _drop_leftovers(folder: Path) -> None:
    """What a killed process was writing: `written_whole` gives it a name with a dot, which no image has."""
    for path in folder.glob(".*"):
        path.unlink()


def _state(root: Path, path: Path) -> State:
    named = plain(path.relative_to(root).as_posix())
    try:
        status = path.stat()
    except OSError:  # reading it says so
        return named, -1, -1
    return named, status.st_size, status.st_mtime_ns


def _export(
    root: Path, paths: Sequence[Path], states: dict[Path, State], journal: Journal, options: ExportOptions
) -> Iterator[DicomError]:
    """Why the ones that could not be exported could not."""
    tasks = (
        ExportTask(
            root=root,
            path=path.relative_to(root),
            folder=options.output / IMAGES,
            format=options.format,
            values=options.values,
        )
        for path in paths
    )
    is_much = sum(states[path][1] for path in paths) >= _WORTH_A_POOL
    documents = 0
    with (
        open_pool(options.workers, is_worth_it=is_much, uses_cv2=True) as pool,
        progress("exporting") as step,
        journal.open() as file,
    ):
        for done, (path, result) in enumerate(zip(paths, pool.map(export_file, tasks), strict=True), start=1):
            if not isinstance(result, DicomError):
                journal.add(file, states[path], result)
            elif _is_document(path, result):
                documents += 1
            else:
                say(plain(str(result)))
                yield result
            step(done, len(paths))
    if documents:
        say(f"without pixels, and left out: {documents} files")


def _is_document(path: Path, error: DicomError) -> bool:
    return error.code == "E-NO-PIXELS" and read_card(path).is_document


def _write_refused(file: Path, refused: Sequence[DicomError]) -> None:
    with written_whole(file) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(("code", "path", "reason"))
        writer.writerows((error.code, plain(error.path), plain(error.reason)) for error in refused)
