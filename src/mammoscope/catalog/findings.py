"""Catalog -> findings: every trap that case descriptions and headers tell, a row each. data/ finds the pixels'."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mammoscope.catalog.selection import target_of
from mammoscope.records import Abnormality, Catalog, Finding, Mammogram
from mammoscope.vocabulary import Partition, Trap

# What needs the pixels; all other traps are known from case descriptions and headers.
IN_PIXELS: Final = (
    Trap.duplicate_film,
    Trap.near_duplicate,
    Trap.mirrored,
    Trap.mask_values,
    Trap.crop_size,
)

Film = tuple[str, str, str]  # patient, laterality, view: one film, whichever kinds it is stored as


def film_of(record: Mammogram | Abnormality) -> Film:
    return record.patient, record.laterality, record.view


def find_in_headers(catalog: Catalog) -> tuple[Finding, ...]:
    """The ledger's traps, and those of the rows of the case descriptions; each row once a trap."""
    names = set(Trap)
    of_ledger = [
        Finding(trap=Trap(d.problem), row=d.row, found=d.found, taken_as=f"{d.taken_as} ({d.reason})")
        for d in catalog.defects
        if d.problem in names
    ]
    of_rows = [finding for find in _IN_ROWS for finding in find(catalog)]
    return each_once([*of_ledger, *of_rows])


def each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding a trap and row, in the order of the traps, then of the rows; what was found twice is told in one."""
    merged: dict[tuple[Trap, str], Finding] = {}
    for finding in findings:
        key = finding.trap, finding.row
        if key not in merged:
            merged[key] = finding
        elif finding.found not in merged[key].found:
            merged[key] = _joined(merged[key], finding)
    order = list(Trap)
    return tuple(sorted(merged.values(), key=lambda f: (order.index(f.trap), f.row)))


def _joined(one: Finding, other: Finding) -> Finding:
    return Finding(
        trap=one.trap,
        row=one.row,
        found=f"{one.found}; {other.found}",
        taken_as=one.taken_as,
        others=tuple(dict.fromkeys((*one.others, *other.others))),
    )


def _leaks(catalog: Catalog) -> Iterator[Finding]:
    rows: dict[str, list[Abnormality]] = defaultdict(list)
    for row in catalog.abnormalities:
        rows[row.patient].append(row)
    for patient, own in rows.items():
        sides = {p: sorted({r.kind for r in own if r.published is p}) for p in (Partition.train, Partition.test)}
        if not all(sides.values()):
            continue
        films = shared_films(own)
        opposite = sum(is_opposite for is_opposite in films.values())
        found = f"train of {' and '.join(sides[Partition.train])}, test of {' and '.join(sides[Partition.test])}"
        shared = f"; {len(films)} of the films in both, {opposite} with opposite malignancy" if films else ""
        taken_as = "split=official_strict leaves the training rows out; split=official refuses both kinds together"
        yield Finding(trap=Trap.leak, row=patient, found=found + shared, taken_as=taken_as)


def shared_films(rows: Iterable[Abnormality]) -> dict[Film, bool]:
    """The films that are published in train and in test, and whether their malignancy there differs."""
    films: dict[Film, dict[Partition, int]] = defaultdict(dict)
    for row in rows:
        own = films[film_of(row)]
        own[row.published] = max(target_of(row), own.get(row.published, 0))
    return {film: len(set(own.values())) > 1 for film, own in films.items() if len(own) > 1}


def _stored_twice(catalog: Catalog) -> Iterator[Finding]:
    films: dict[Film, list[Mammogram]] = defaultdict(list)
    for mammogram in catalog.mammograms:
        films[film_of(mammogram)].append(mammogram)
    for mammograms in films.values():
        for mammogram in mammograms if len(mammograms) > 1 else ():
            others = tuple(m.key for m in mammograms if m is not mammogram)
            found = f"the same breast and view as {', '.join(others)}"
            taken_as = "one film where the pixels are the same: one sample of image=full"
            yield Finding(trap=Trap.stored_twice, row=mammogram.key, found=found, taken_as=taken_as, others=others)


def _mixed_pathology(catalog: Catalog) -> Iterator[Finding]:
    mammograms: dict[str, list[Abnormality]] = defaultdict(list)
    for row in catalog.abnormalities:
        mammograms[row.mammogram].append(row)
    for key, rows in mammograms.items():
        if len({target_of(row) for row in rows}) > 1:
            told = ", ".join(f"{row.number} {row.pathology}" for row in rows)
            taken_as = "malignant: an image is, if any of its abnormalities is"
            misled = "" if target_of(rows[0]) else "; its first row would call it benign"
            yield Finding(trap=Trap.mixed_pathology, row=key, found=f"abnormalities {told}{misled}", taken_as=taken_as)


def _unstable_ids(catalog: Catalog) -> Iterator[Finding]:
    same_id: dict[tuple[str | int, ...], list[Abnormality]] = defaultdict(list)
    for row in catalog.abnormalities:
        same_id[row.kind, row.published, row.patient, row.laterality, row.number].append(row)
    for rows in same_id.values():
        if len({target_of(row) for row in rows}) > 1:
            for row in rows:
                others = tuple(r.key for r in rows if r is not row)
                found = f"{row.pathology} here, {', '.join(f'{r.pathology} in {r.view}' for r in rows if r is not row)}"
                taken_as = "two abnormalities: the number is never used to join views"
                yield Finding(trap=Trap.unstable_id, row=row.key, found=found, taken_as=taken_as, others=others)


def _unknown_grades(catalog: Catalog) -> Iterator[Finding]:
    for row in catalog.abnormalities:
        if found := ", ".join(f"{name} 0" for name in ("density", "subtlety") if getattr(row, name) == 0):
            yield Finding(trap=Trap.unknown_grade, row=row.key, found=found, taken_as="unknown: kept as it stands")


def _incomplete_assessments(catalog: Catalog) -> Iterator[Finding]:
    for row in catalog.abnormalities:
        if row.assessment == 0:
            found = f"assessment 0, {row.pathology}"
            taken_as = "incomplete: kept as it stands"
            yield Finding(trap=Trap.incomplete_assessment, row=row.key, found=found, taken_as=taken_as)


_IN_ROWS: Final[tuple[Callable[[Catalog], Iterator[Finding]], ...]] = (
    _leaks,
    _stored_twice,
    _mixed_pathology,
    _unstable_ids,
    _unknown_grades,
    _incomplete_assessments,
)
