"""`mammoscope dicom show PATH...`: headers at the terminal, pictures as PNG or HTML, hung as radiologists hang them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.collection.files import list_dicom
from mammoscope.collection.hanging import Hung
from mammoscope.collection.picture_ids import patient_of
from mammoscope.dicom.headers.cards import Card, read_card
from mammoscope.dicom.headers.lines import header_lines, plain
from mammoscope.dicom.layout import open_dicom
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.pool import Pool, open_pool
from mammoscope.reporting.console import console, progress, say
from mammoscope.reporting.header_table import header_table

_WORTH_A_POOL: Final = 2000  # headers


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    output: Path | None  # .png or .html
    masks: tuple[Path, ...]  # of one picture
    frame: int | None  # from 1, of one picture
    workers: int  # 0: as many as there are cores


def show(paths: Sequence[Path], options: ShowOptions) -> bool:
    """Prints the header of each file that is named; lists what is in a folder; writes pictures of all where asked to.

    Returns whether everything could be shown. Raises: MammoscopeError for paths and options that cannot be.
    """
    _check(paths, options)
    listing = list_dicom(paths)
    for refused in listing.refused:
        say(plain(str(refused)))
    is_whole = not listing.refused
    if not any(path.is_dir() for path in paths):
        is_whole &= sum([_print_header(path) for path in listing.files]) == len(listing.files)
    if listing.others:
        say(f"left out: {listing.others} files that are no DICOM")
    if options.output is not None:
        hungs, is_read = _read_cards(listing.files, options.workers)
        return _draw(hungs, paths, options, options.output) and is_read and is_whole
    if any(path.is_dir() for path in paths):
        return _list(listing.files, options.workers) and is_whole
    say("for a picture: -o FILE.png, or -o FILE.html with the header in it")
    return is_whole


def _check(paths: Sequence[Path], options: ShowOptions) -> None:
    output = options.output
    is_alone = len(paths) == 1 and not paths[0].is_dir()
    if (options.masks or options.frame is not None) and not (is_alone and output is not None):
        raise MammoscopeError("--mask and --frame are of the picture of one file; allowed: one FILE, and -o")
    if output is None:
        return
    if output.suffix.lower() not in (".png", ".html"):
        raise MammoscopeError(f"-o {output}: allowed: a file that ends in .png or .html")
    if not output.absolute().parent.is_dir():
        raise MammoscopeError(f"-o {output}: there is no folder {output.absolute().parent}")
    for path in paths:
        if path.is_dir():
            refuse_inside(path, output, f"-o {output}", source_key="PATH")
        elif path.exists() and output.exists() and path.samefile(output):
            raise MammoscopeError(f"-o {output}: is the file that is shown")


def _print_header(path: Path) -> bool:
    say(plain(str(path)))
    try:
        with open_dicom(path, after=True) as layout:
            for line in header_table(header_lines(layout, path), console.width):
                say(line)
    except DicomError as error:
        say(plain(str(error)))
        return False
    return True


def _list(files: Sequence[Path], workers: int) -> bool:
    """A line a file, in the order of their names."""
    say(_LISTED.format("patient", "date", "kind", "place", "rows", "columns", "description", "file"))
    is_whole = True
    with _pool(files, workers) as pool:
        for path, card in zip(files, pool.map(_read_card, files), strict=True):
            if isinstance(card, DicomError):
                say(plain(str(card)))
                is_whole = False
                continue
            place = f"{card.laterality} {card.view}".strip()
            facts = (patient_of(card.patient_id), card.study_date, card.modality, place, card.rows, card.columns)
            say(_LISTED.format(*facts, card.series_description, plain(str(path))))
    say(f"{len(files)} files")
    return is_whole


_LISTED: Final = "{:<16} {:<8} {:<4} {:<5} {:>5} {:>7}  {:<24} {}"


def _pool(files: Sequence[Path], workers: int) -> AbstractContextManager[Pool]:
    return open_pool(workers, is_worth_it=len(files) >= _WORTH_A_POOL)


def _read_card(path: Path) -> Card | DicomError:
    try:
        return read_card(path)
    except DicomError as error:
        return error


def _read_cards(files: Sequence[Path], workers: int) -> tuple[list[Hung], bool]:
    """What can be shown, and whether every file could be read; what has no pixels is no picture, and no fault."""
    hungs, is_whole, documents = list[Hung](), True, 0
    with _pool(files, workers) as pool, progress("reading headers") as step:
        for done, (path, card) in enumerate(zip(files, pool.map(_read_card, files), strict=True), start=1):
            step(done, len(files))
            if isinstance(card, DicomError):
                say(plain(str(card)))
                is_whole = False
            elif not card.is_document:
                hungs.append(Hung(path, card))
            else:
                documents += 1
    if documents:
        say(f"without pixels, and left out: {documents} files")
    return hungs, is_whole


def _draw(hungs: Sequence[Hung], paths: Sequence[Path], options: ShowOptions, output: Path) -> bool:
    is_alone = len(paths) == 1 and not paths[0].is_dir()
    if not hungs:
        say("no picture: nothing here has pixels")
        return not is_alone
    from mammoscope.jobs.dicom_sheet import Sheet, heading_of, write_picture, write_sheet  # heavy: headers need none

    sheet = Sheet(output, heading_of(paths))
    if is_alone:
        return write_picture(hungs[0], options.masks, options.frame, sheet)
    return write_sheet(hungs, sheet, options.workers)
