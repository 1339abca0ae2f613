"""A diagnosis in a terminal: the inventory, the traps, the verdict."""

from collections.abc import Iterator
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from mammoscope.catalog.diagnosis import Diagnosis
from mammoscope.catalog.findings import IN_PIXELS
from mammoscope.catalog.published import Origin
from mammoscope.records import Finding
from mammoscope.reporting.traps import EXPLANATIONS
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Trap

NAMED: Final = 10  # rows that a terminal names of a trap
# Traps whose rows a person has to see, because something was lost by them; of the others a count and one row will do.
_TO_NAME: Final = (
    Trap.duplicate_film,
    Trap.near_duplicate,
    Trap.missing_series,
    Trap.ambiguous,
    Trap.truncated,
    Trap.syntax,
    Trap.unreadable,
    Trap.mask_size,
    Trap.mask_values,
)
ORIGIN_WORDS: Final = {
    Origin.official: "official",
    Origin.other: "NOT the official file (by SHA-256)",
    Origin.absent: "not here",
}


def doctor_lines(diagnosis: Diagnosis) -> Iterator[Table | Text]:
    """What console.print takes, in order; the verdict is for last_line."""
    yield Text("\n".join(origin_lines(diagnosis)))
    if diagnosis.inventory:
        yield _inventory_table(diagnosis)
        yield _trap_table(diagnosis)
    for trap in _TO_NAME:
        if findings := diagnosis.of(trap):
            yield Text("\n".join(_named(trap, findings)))
    for gap in diagnosis.gaps:
        yield Text(f"gap: {gap}")
    for block in diagnosis.blocks:
        yield Text(f"blocks training: {block}")
    yield Text(RESEARCH_USE_ONLY, style="dim")


def origin_lines(diagnosis: Diagnosis) -> list[str]:
    """What is known of the case descriptions. A phantom has its own: none of them is official, and none pretends to."""
    if diagnosis.is_phantom:
        return ["a phantom: what its own case descriptions name counts as published"]
    return [f"{name}: {ORIGIN_WORDS[origin]}" for name, origin in diagnosis.origins.items()]


def last_line(diagnosis: Diagnosis) -> str:
    why = "; ".join(diagnosis.blocks or diagnosis.gaps) or "every file that was published is here and can be used"
    if len(why) > 300:
        why = f"{why[:300]} ..."
    return f"{diagnosis.verdict} (exit status {diagnosis.status}): {why}"


def _inventory_table(diagnosis: Diagnosis) -> Table:
    table = Table("kind", "partition", "image", box=box.SIMPLE_HEAD, title="files", title_justify="left")
    for column in ("published", "found", "usable"):
        table.add_column(column, justify="right")
    for row in diagnosis.inventory:
        table.add_row(row.kind, row.partition, row.image, str(row.published), str(row.found), str(row.usable))
    sums = [str(sum(getattr(r, n) for r in diagnosis.inventory)) for n in ("published", "found", "usable")]
    table.add_row("all", "", "", *sums)
    return table


def _trap_table(diagnosis: Diagnosis) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="traps", title_justify="left")
    table.add_column("trap", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("what")
    table.add_column("in pixels")
    for trap in Trap:
        count = "-" if trap in diagnosis.unchecked else str(len(diagnosis.of(trap)))
        table.add_row(trap, count, EXPLANATIONS[trap].title, "yes" if trap in IN_PIXELS else "")
    return table


def _named(trap: Trap, findings: tuple[Finding, ...]) -> Iterator[str]:
    missing = {finding.row for finding in findings}
    # First what is nearest to whole: a mask that one film lacks is news where thousands were never downloaded.
    nearest = sorted(findings, key=lambda f: (_film_of(f.row) in missing, "and no" in f.found))
    for finding in nearest[:NAMED]:
        yield f"{trap}: {finding.row}: {finding.found}"
    if len(findings) > NAMED:
        yield f"{trap}: ... and {len(findings) - NAMED} more rows (all of them: --html FILE or -o FOLDER)"


def _film_of(row: str) -> str:
    """Mammogram.key of an abnormality's key; anything else as it is."""
    film, _, number = row.rpartition("_")
    return film if number.isdecimal() else row
