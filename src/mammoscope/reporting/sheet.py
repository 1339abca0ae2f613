"""What both kinds of contact sheet say beside a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.collection.hanging import FIRST_VIEWS, Hung, Panel, Row
from mammoscope.data.tiles import Tile
from mammoscope.errors import DicomError

ORANGE: Final = " Orange: outlines of ROI masks."


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel with its pictures, by path."""

    panel: Panel
    tiles: Mapping[Path, Tile | DicomError]


def panel_title(panel: Panel) -> str:
    words = [panel.person or "(no PatientID)", ", ".join(map(date_text, panel.study_dates))]
    return "  ".join(word for word in words if word) + ("  (continued)" if panel.is_continued else "")


def date_text(date: str) -> str:
    """2016-07-20; what is no date stays as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdecimal() else date


def place_text(hung: Hung) -> str:
    """R CC; of a picture without a place its modality and the file's name."""
    card = hung.card
    if card.laterality and card.view:
        return f"{card.laterality} {card.view}"
    return " ".join(word for word in (card.modality, card.laterality, card.view, hung.path.name) if word)


def missing_text(row: Row, side: str) -> str:
    """What is said where a picture would hang. side: R or L. Empty where nothing is missed."""
    return f"no {side} {row.view}" if row.view in FIRST_VIEWS and row.is_first else ""


def how_hung(panels: Sequence[Drawn]) -> str:
    has_masks = any(hung.masks for drawn in panels for hung in drawn.panel.pictures)
    return f"Right breast on the left, chest walls towards the middle.{ORANGE if has_masks else ''}"


def how_stored(hung: Hung) -> str:
    return f"As it is stored.{ORANGE if hung.masks else ''}"


def facts_text(hung: Hung, tile: Tile | DicomError) -> str:
    """In a line: that it was turned, before all else; how large it is, what it is, what was done to it."""
    if isinstance(tile, DicomError):
        return f"{tile.code}: {tile.reason}"
    size = f"{tile.facts.rows_px} x {tile.facts.columns_px} px"
    return ", ".join(
        word for word in (tile.turned, size, hung.card.series_description, *tile.notes, *tile.faults) if word
    )
