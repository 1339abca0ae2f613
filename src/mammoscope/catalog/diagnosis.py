"""What a source is good for, and why: the doctor's judgement of what was found."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mammoscope.catalog.case_descriptions import FILES
from mammoscope.catalog.certificate import FEWEST_PATIENTS
from mammoscope.catalog.conventions import Convention
from mammoscope.catalog.inventory import InventoryRow
from mammoscope.catalog.published import Origin
from mammoscope.catalog.selection import target_of
from mammoscope.catalog.splits import name_some
from mammoscope.records import Catalog, Finding
from mammoscope.vocabulary import ImageType, Partition, Trap

_OF_OTHERS: Final = {Trap.duplicate_film: "pixel for pixel", Trap.near_duplicate: "nearly, and unreviewed"}
_PARTITIONS: Final = 2  # that are carved from the published train: train and validation


class Verdict(StrEnum):
    complete = "complete"
    partial = "partial but usable"
    blocked = "blocked"


STATUS: Final[Mapping[Verdict, int]] = {Verdict.complete: 0, Verdict.blocked: 1, Verdict.partial: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    name: str  # the source's folder, without where it lies
    is_phantom: bool
    origins: Mapping[str, Origin]  # of the case description files, by name
    inventory: tuple[InventoryRow, ...]
    findings: tuple[Finding, ...]  # in the order of the traps, then of the rows
    conventions: tuple[Convention, ...]
    unchecked: tuple[Trap, ...]  # traps that were not looked for
    blocks: tuple[str, ...]  # what stops every training
    gaps: tuple[str, ...]  # why it is not known to be complete

    @property
    def verdict(self) -> Verdict:
        if self.blocks:
            return Verdict.blocked
        return Verdict.partial if self.gaps else Verdict.complete

    @property
    def status(self) -> int:
        """What the command exits with."""
        return STATUS[self.verdict]

    def of(self, trap: Trap) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.trap is trap)


def find_blocks(
    catalog: Catalog, findings: Iterable[Finding], unusable: Collection[tuple[str, ImageType]]
) -> tuple[str, ...]:
    """What stops every training on this source."""
    return (*_too_few(catalog, unusable), *_crossing_films(catalog, findings))


def _too_few(catalog: Catalog, unusable: Collection[tuple[str, ImageType]]) -> Iterator[str]:
    films = {m.key for m in catalog.mammograms if m.path is not None and (m.key, ImageType.full) not in unusable}
    if not films:
        yield "no film can be used"
        return
    tests = {a.patient for a in catalog.abnormalities if a.published is Partition.test}
    rows = [a for a in catalog.abnormalities if a.published is Partition.train and a.patient not in tests]
    counts = [len({a.patient for a in rows if a.mammogram in films and target_of(a) == t}) for t in (0, 1)]
    if min(counts) < _PARTITIONS * FEWEST_PATIENTS:
        yield (
            f"{counts[0]} benign and {counts[1]} malignant patients of train have a film that can be used; train and "
            f"validation need {FEWEST_PATIENTS} of each"
        )


def _crossing_films(catalog: Catalog, findings: Iterable[Finding]) -> Iterator[str]:
    published = {m.key: m.published for m in catalog.mammograms}
    pairs: dict[Trap, set[str]] = {}
    for finding in findings:
        if finding.trap in _OF_OTHERS and not finding.reviewed:
            for other in finding.others:
                if published[other] is not published[finding.row]:
                    pairs.setdefault(finding.trap, set()).add(" = ".join(sorted((finding.row, other))))
    for trap, same in pairs.items():
        films = "1 film is" if len(same) == 1 else f"{len(same)} films are"
        yield (
            f"{films} the same, {_OF_OTHERS[trap]}, under different patients in train and in test: {name_some(same)}"
        )


def find_gaps(
    inventory: Sequence[InventoryRow],
    origins: Mapping[str, Origin],
    unchecked: Sequence[Trap],
    *,
    is_phantom: bool,
) -> tuple[str, ...]:
    """Why a source is not known to be complete; nothing where it is."""
    return tuple(_gaps(inventory, origins, unchecked, is_phantom))


def _gaps(
    inventory: Sequence[InventoryRow], origins: Mapping[str, Origin], unchecked: Sequence[Trap], is_phantom: bool
) -> Iterator[str]:
    for image in ImageType:
        rows = [row for row in inventory if row.image is image]
        published, found, usable = (sum(getattr(r, n) for r in rows) for n in ("published", "found", "usable"))
        if found < published:
            yield f"not there: {published - found} of {published} {_PLURAL[image]}"
        if usable < found:
            yield f"there, but not usable: {found - usable} of {published} {_PLURAL[image]}"
    if absent := [name for name in FILES if origins.get(name) is Origin.absent and not is_phantom]:
        yield f"no {', no '.join(absent)}"
    if unchecked:
        yield f"not checked: {', '.join(unchecked)}"


_PLURAL: Final = {ImageType.full: "films", ImageType.mask: "masks", ImageType.crop: "crops"}
