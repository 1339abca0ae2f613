"""Contact sheets as HTML files that need nothing else: no script, no font, no picture from elsewhere."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import cv2
import numpy as np

from mammoscope.collection.hanging import Hung, Row
from mammoscope.data.tiles import Tile
from mammoscope.dicom.headers.lines import HeaderLine, plain
from mammoscope.errors import DicomError
from mammoscope.reporting.header_table import cut
from mammoscope.reporting.page_style import STYLE
from mammoscope.reporting.sheet import Drawn, facts_text, how_hung, how_stored, missing_text, panel_title, place_text
from mammoscope.reporting.sheet_figure import Boxes
from mammoscope.vocabulary import RESEARCH_USE_ONLY

PANELS: Final = 8  # a page: some megabytes
BOXES: Final = Boxes(620, 520)
ALONE: Final = Boxes(1400, 1100)
_MOST_CELLS: Final = 400  # of a value
# A browser told so by the page itself asks nobody for anything, and runs nothing.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SHEET_STYLE: Final = """
.panel{background:#0e1013;color:#f2f4f6;border:0}
.panel h2{margin:0 0 10px;font-size:17px;overflow-wrap:anywhere}
.row{display:grid;grid-template-columns:1fr 1fr;gap:0 6px;margin-bottom:8px}
.slot{min-width:0;display:grid;grid-row:span 3;grid-template-rows:subgrid}
.slot .film{background:#000;display:flex;min-height:120px}
.slot.right .film{justify-content:flex-end}.slot.middle .film{justify-content:center}
.film.none{align-items:center;color:#5a6470;font-size:12.5px}
.film img{display:block;max-width:100%;height:auto}
.slot p{font-size:12.5px;color:#9aa4af;margin:4px 0;overflow-wrap:anywhere}
.slot p b{color:#f2f4f6}
.slot p.bad{color:#ff8a80}
.panel summary{color:#8ab8ff;font-size:12.5px}
.headers{margin:-6px 0 18px}
.headers details{margin-top:4px}
.header{overflow:auto;max-height:560px;margin-top:6px;border:1px solid #2a2f36}
.header table{background:#0e1013;font:12px/1.4 ui-monospace,"DejaVu Sans Mono",monospace}
.header td,.header th{padding:2px 8px;border-color:#2a2f36;white-space:pre;background:#0e1013}
.header td.value{white-space:pre-wrap;overflow-wrap:anywhere;min-width:260px}
nav{margin:10px 0;line-height:2}
nav a,nav b{margin-right:10px}
.alone .row{grid-template-columns:1fr}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands among its fellows, by file name."""

    names: tuple[str, ...]
    number: int  # from 0


def sheet_page(panels: Sequence[Drawn], heading: str, place: Place) -> str:
    """Right breast on the left, as the figure; each picture with its header, folded."""
    body = "".join(_panel(drawn) for drawn in panels)
    return _page(heading, how_hung(panels), f"{_links(place)}{body}{_links(place)}")


def picture_page(hung: Hung, tile: Tile, heading: str) -> str:
    """One picture as it is stored, and its header."""
    slot, header = _slot(hung, tile, "middle"), _folded(hung, tile, opened=True)
    body = f'<section class="card panel alone"><div class="row">{slot}</div>{header}</section>'
    return _page(heading, how_stored(hung), body)


def _page(heading: str, how: str, body: str) -> str:
    told = "Headers may name patients: keep this file where the images may be kept."
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{_safe(heading)}</title>'
        f"<style>{STYLE}{_SHEET_STYLE}</style></head>\n<body><main>\n<h1>{_safe(heading)}</h1>"
        f'<p class="muted">{how} {RESEARCH_USE_ONLY}</p><p class="muted">{told}</p>\n{body}\n'
        f"<footer>{RESEARCH_USE_ONLY}</footer></main></body></html>\n"
    )


def _safe(text: str) -> str:
    return escape(plain(text))


def _links(place: Place) -> str:
    if len(place.names) == 1:
        return ""
    pages = [
        f"<b>{number + 1}</b>" if number == place.number else f'<a href="{_safe(name)}">{number + 1}</a>'
        for number, name in enumerate(place.names)
    ]
    return f"<nav>Page {' '.join(pages)}</nav>"  # the space is where a line of hundreds breaks


def _panel(drawn: Drawn) -> str:
    rows = "".join(_row(row, drawn) for row in drawn.panel.rows)
    return f'<section class="card panel"><h2>{_safe(panel_title(drawn.panel))}</h2>{rows}</section>\n'


def _row(row: Row, drawn: Drawn) -> str:
    sides = ("right", "left") if row.view else ("middle", "middle")
    slots = (
        _empty(missing_text(row, letter)) if hung is None else _slot(hung, drawn.tiles[hung.path], side)
        for hung, side, letter in zip((row.right, row.left), sides, "RL", strict=True)
    )
    headers = "".join(_folded(hung, drawn.tiles[hung.path]) for hung in (row.right, row.left) if hung is not None)
    return f'<div class="row">{"".join(slots)}</div><div class="headers">{headers}</div>'


def _empty(words: str) -> str:
    return f'<div class="slot middle"><div class="film none">{_safe(words)}</div></div>' if words else "<div></div>"


def _slot(hung: Hung, tile: Tile | DicomError, side: str) -> str:
    """side: where in its half the picture lies: a right breast to the right, towards the middle."""
    words = f"<b>{_safe(place_text(hung))}</b> {_safe(facts_text(hung, tile))}"
    name = f"<p>{_safe(str(hung.path))}</p>"
    if isinstance(tile, DicomError):
        return f'<div class="slot {side}"><div class="film"></div><p class="bad">{words}</p>{name}</div>'
    image = f'<img src="data:image/png;base64,{_png(tile.picture)}" alt="{_safe(place_text(hung))}">'
    return f'<div class="slot {side}"><div class="film">{image}</div><p>{words}</p>{name}</div>'


def _folded(hung: Hung, tile: Tile | DicomError, *, opened: bool = False) -> str:
    if isinstance(tile, DicomError):
        return ""
    summary = f"<summary>header of {_safe(place_text(hung))}</summary>"
    return f"<details{' open' * opened}>{summary}{''.join(_header(tile.header))}</details>"


def _png(picture: np.ndarray) -> str:
    is_grey = bool((picture == picture[..., :1]).all())
    is_written, data = cv2.imencode(".png", picture[..., 0] if is_grey else picture[..., ::-1])
    assert is_written, "an array of 8 bits can be a PNG"
    return base64.b64encode(data.tobytes()).decode("ascii")


def _header(lines: Iterable[HeaderLine]) -> Iterator[str]:
    heads = "".join(f"<th>{name}</th>" for name in ("group", "element", "name", "VR", "length", "value"))
    yield f'<div class="header"><table><tr>{heads}</tr>'
    for line in lines:
        name = _safe("  " * line.depth + line.name)
        cells = (line.group, line.element, name, _safe(line.vr), line.length)
        value = _safe(cut(line.value, _MOST_CELLS))
        yield f'<tr>{"".join(f"<td>{cell}</td>" for cell in cells)}<td class="value">{value}</td></tr>'
    yield "</table></div>"
