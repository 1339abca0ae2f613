"""Where pictures hang, as radiologists hang mammograms: the right breast on the left, chest walls towards the middle.

R CC   L CC
R MLO  L MLO
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from mammoscope.collection.picture_ids import names_picture, patient_of
from mammoscope.dicom.headers.cards import Card

FIRST_VIEWS: Final = ("CC", "MLO")
_FROM_ABOVE: Final = frozenset({"CC", "XCCL", "XCCM", "XCC", "FB"})  # columns run between lateral and medial
_OPPOSITE: Final = {"A": "P", "P": "A", "F": "H", "H": "F", "L": "R", "R": "L"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What is done to a picture before it hangs."""

    mirrored: bool  # left and right exchanged
    upended: bool  # top and bottom exchanged
    why: str

    @property
    def words(self) -> str:
        done = {(True, True): "turned by 180 degrees", (True, False): "mirrored", (False, True): "upended"}
        what = done.get((self.mirrored, self.upended))
        return f"{what} ({self.why})" if what else ""


@dataclass(frozen=True, slots=True)
class Hung:
    path: Path
    card: Card
    masks: tuple[Path, ...] = ()  # ROIs in its coordinates


@dataclass(frozen=True, slots=True)
class Row:
    view: str  # empty: pictures that have no place of their own, two a row, as they came
    right: Hung | None  # hangs on the left
    left: Hung | None
    is_first: bool = True  # of its view in the study: what is missing there is missing


@dataclass(frozen=True, slots=True)
class Panel:
    """Up to two rows of one person's study that hang together."""

    person: str
    study_dates: tuple[str, ...]  # YYYYMMDD; several only where CBIS-DDSM's films are taken together
    rows: tuple[Row, ...]
    is_continued: bool  # it goes on with the study of the panel before

    @property
    def pictures(self) -> tuple[Hung, ...]:
        return tuple(hung for row in self.rows for hung in (row.right, row.left) if hung is not None)


def hang(pictures: Iterable[Hung]) -> tuple[Panel, ...]:
    """By person, then by study date and time. All pictures of a CBIS-DDSM patient hang as one study: there each is a
    study of its own, with a date that means nothing."""
    studies: dict[tuple[str, ...], list[Hung]] = defaultdict(list)
    for hung in sorted(pictures, key=_order):
        card = hung.card
        study = () if names_picture(card.patient_id) else (card.study_date, card.study_time, card.study_uid)
        studies[patient_of(card.patient_id), *study].append(hung)
    return tuple(panel for _, hungs in sorted(studies.items()) for panel in _panels(hungs))


def _order(hung: Hung) -> tuple[object, ...]:
    card = hung.card
    number = int(card.instance_number) if card.instance_number.isdecimal() else 0
    return patient_of(card.patient_id), card.study_date, card.study_time, card.series_uid, number, str(hung.path)


def _panels(hungs: Sequence[Hung]) -> Iterator[Panel]:
    dates = tuple(sorted({hung.card.study_date for hung in hungs if hung.card.study_date}))
    rows = tuple(_rows(hungs))
    for start in range(0, len(rows), 2):
        yield Panel(patient_of(hungs[0].card.patient_id), dates, rows[start : start + 2], is_continued=start > 0)


def _rows(hungs: Sequence[Hung]) -> Iterator[Row]:
    placed: dict[str, tuple[list[Hung], list[Hung]]] = defaultdict(lambda: ([], []))
    others = []
    for hung in hungs:
        if hung.card.view and hung.card.laterality in ("R", "L"):
            placed[hung.card.view]["RL".index(hung.card.laterality)].append(hung)
        else:
            others.append(hung)
    first = FIRST_VIEWS if any(view in placed for view in FIRST_VIEWS) else ()
    for nth in range(max((len(side) for view in first for side in placed[view]), default=0)):
        for view in first:  # CC and MLO stay together, the second of each in a panel of its own
            right, left = (side[nth] if nth < len(side) else None for side in placed[view])
            if right or left:
                yield Row(view, right, left, is_first=nth == 0)
    for view in sorted(set(placed) - set(first)):
        yield from (Row(view, right, left) for right, left in zip_longest(*placed[view]))
    yield from (Row("", *pair) for pair in zip_longest(others[::2], others[1::2]))


def turn_by_orientation(card: Card) -> Turn | None:
    """What brings a picture into its place, by PatientOrientation (PS3.3 C.7.6.1.1.1); None where that says nothing.

    In its place rows of a right breast run to posterior, of a left one to anterior; columns run to the feet, and of
    views from above to the middle of the body.
    """
    if card.laterality not in ("R", "L") or len(card.orientation) != 2:
        return None
    across, down = card.orientation
    wanted = "P" if card.laterality == "R" else "A"
    if wanted not in across and _OPPOSITE[wanted] not in across:
        return None
    towards = _OPPOSITE[card.laterality] if card.view in _FROM_ABOVE else "F"
    upended = towards not in down and _OPPOSITE[towards] in down
    return Turn(wanted not in across, upended, f"orientation {across}\\{down}")


def turn_by_tissue(laterality: str, chest_wall_on_left: bool) -> Turn:
    """laterality: R or L. chest_wall_on_left: of the picture as it is stored."""
    return Turn(chest_wall_on_left == (laterality == "R"), False, "by its tissue")
