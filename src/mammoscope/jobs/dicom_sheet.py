"""The pictures of `mammoscope dicom show`: one film with its ROIs, or pages of what hangs together."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mammoscope.collection.hanging import Hung, Panel, hang
from mammoscope.collection.picture_ids import patient_of
from mammoscope.data.tiles import Asked, Tile, draw_tile
from mammoscope.dicom.headers.lines import plain
from mammoscope.errors import DicomError
from mammoscope.files import written_whole
from mammoscope.jobs.roi_masks import outlined
from mammoscope.pool import open_pool
from mammoscope.reporting import sheet_figure, sheet_page
from mammoscope.reporting.console import progress, say
from mammoscope.reporting.sheet import Drawn, date_text
from mammoscope.vocabulary import PHANTOM_MARKER

_WORTH_A_POOL: Final = 24  # pictures
_LEVELS: Final = 6  # from a file up to the root of its tree


@dataclass(frozen=True, slots=True)
class Sheet:
    """One HTML or PNG file, or many of them."""

    output: Path
    heading: str

    @property
    def is_html(self) -> bool:
        return self.output.suffix.lower() == ".html"

    def names(self, pages: int) -> tuple[str, ...]:
        if pages == 1:
            return (self.output.name,)
        digits = max(3, len(str(pages)))
        stem, suffix = self.output.stem, self.output.suffix
        return tuple(f"{stem}-{number:0{digits}d}{suffix}" for number in range(1, pages + 1))


def heading_of(paths: Sequence[Path]) -> str:
    """The name of what is shown; and that it is a phantom, where it is one."""
    absolute = [path.absolute() for path in paths]
    folder = Path(os.path.commonpath([path.parent for path in absolute]))
    named = absolute[0].name if len(paths) == 1 else f"{len(paths)} files and folders of {folder.name}"
    folders = (above for path in absolute for above in (path, *path.parents)[:_LEVELS])
    is_phantom = any((folder / PHANTOM_MARKER).is_file() for folder in folders)
    return plain(f"Phantom, synthetic images: {named}" if is_phantom else named)


def write_picture(hung: Hung, masks: Sequence[Path], frame: int | None, sheet: Sheet) -> bool:
    """One picture as it is stored. masks: of the user; else those of the tree. Returns whether it could be drawn."""
    known = outlined([hung], workers=1).pictures
    hung = replace(hung, masks=tuple(masks) or (known[0].masks if known else ()))
    box = sheet_page.ALONE if sheet.is_html else sheet_figure.ALONE
    asked = Asked(
        hung=hung,
        height_px=box.height_px,
        width_px=box.width_px,
        turns=False,
        frame=frame,
        with_header=sheet.is_html,
    )
    tile = draw_tile(asked)
    if isinstance(tile, DicomError):
        say(plain(str(tile)))
        return False
    heading = "  ".join(
        word for word in (patient_of(hung.card.patient_id), date_text(hung.card.study_date), sheet.heading) if word
    )
    with written_whole(sheet.output) as unfinished:
        if sheet.is_html:
            unfinished.write_text(sheet_page.picture_page(hung, tile, heading), encoding="utf-8")
        else:
            sheet_figure.write_png(sheet_figure.picture_figure(hung, tile, heading), unfinished)
    say(f"written: {sheet.output}")
    return _say_faults(hung, tile)


def write_sheet(hungs: Sequence[Hung], sheet: Sheet, workers: int) -> bool:
    """Pages one after the other: there are never more pictures in memory than a page has, and a few.

    Returns whether all could be drawn.
    """
    found = outlined(hungs, workers)
    if found.left_out:
        say(f"not hung: {found.left_out} masks and crops of films that are; {found.drawn_masks} masks are outlines")
    size = sheet_page.PANELS if sheet.is_html else sheet_figure.PANELS
    panels = hang(found.pictures)
    pages = [panels[start : start + size] for start in range(0, len(panels), size)]
    names = sheet.names(len(pages))
    asked = (task for page in pages for task in _tasks(page, sheet.is_html))
    is_much = len(found.pictures) >= _WORTH_A_POOL
    refused, done, is_whole = 0, 0, True
    with open_pool(workers, is_worth_it=is_much, uses_cv2=True) as pool, progress("pictures") as step:
        tiles = pool.map(draw_tile, asked)
        for number, page in enumerate(pages):
            drawn = [_draw(panel, tiles) for panel in page]
            is_whole &= _say_all_faults(drawn)
            refused += sum(isinstance(tile, DicomError) for panel in drawn for tile in panel.tiles.values())
            _write_page(drawn, sheet, sheet_page.Place(names, number))
            done += sum(len(panel.pictures) for panel in page)
            step(done, len(found.pictures))
    which = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    say(f"written: {_many(done - refused, 'picture')} on {_many(len(names), 'page')}, {sheet.output.parent / which}")
    if refused:
        say(f"{_many(refused, 'picture')} could not be drawn")
    return is_whole


def _draw(panel: Panel, tiles: Iterator[Tile | DicomError]) -> Drawn:
    """tiles: of all panels, in their order."""
    return Drawn(panel, dict(zip((hung.path for hung in panel.pictures), tiles, strict=False)))


def _say_all_faults(drawn: Sequence[Drawn]) -> bool:
    """Whether there are none."""
    found = [_say_faults(hung, one.tiles[hung.path]) for one in drawn for hung in one.panel.pictures]
    return all(found)


def _say_faults(hung: Hung, tile: Tile | DicomError) -> bool:
    said = [str(tile)] if isinstance(tile, DicomError) else [f"{hung.path}: {fault}" for fault in tile.faults]
    for words in said:
        say(plain(words))
    return not said


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _tasks(page: Sequence[Panel], is_html: bool) -> Iterator[Asked]:
    boxes = sheet_page.BOXES if is_html else sheet_figure.boxes_for(len(page))
    for panel in page:
        for hung in panel.pictures:
            yield Asked(hung=hung, height_px=boxes.height_px, width_px=boxes.width_px, with_header=is_html)


def _write_page(drawn: Sequence[Drawn], sheet: Sheet, place: sheet_page.Place) -> None:
    with written_whole(sheet.output.with_name(place.names[place.number])) as unfinished:
        if sheet.is_html:
            unfinished.write_text(sheet_page.sheet_page(drawn, sheet.heading, place), encoding="utf-8")
            return
        page = f"page {place.number + 1} of {len(place.names)}" if len(place.names) > 1 else ""
        boxes = sheet_figure.boxes_for(len(drawn))
        sheet_figure.write_png(sheet_figure.sheet_figure(drawn, boxes, sheet.heading, page), unfinished)
