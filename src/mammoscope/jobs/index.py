"""`mammoscope data index ROOT`: what is in a tree, and what is wrong with it."""

from pathlib import Path

from rich import box
from rich.table import Table

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.census import CensusRow, census
from mammoscope.catalog.tables import write_catalog
from mammoscope.files import refuse_inside
from mammoscope.reporting.console import console, progress, say

COLUMNS = ("kind", "published", "rows", "malignant", "mammograms", "masks", "crops", "patients")


def index(root: Path, output: Path | None) -> None:
    """Prints the census and the ledger's counts; with `output`, writes the catalog there as Parquet."""
    if output is not None:
        refuse_inside(root, output, f"-o {output}")
    with progress("reading headers") as step:
        catalog = index_cbis_ddsm(root, progress=step)
    found = census(catalog)
    table = Table(*COLUMNS, box=box.SIMPLE_HEAD, title=found.summary(), title_justify="left")
    for row in (*found.rows, found.total):
        table.add_row(*_cells(row))
    console.print(table)
    for problem, count in found.defects.items():
        example = next(defect for defect in catalog.defects if defect.problem == problem)
        say(f"{count} x {problem}, as in {example.row}: {example.found}; taken as: {example.taken_as}")
    if output is not None:
        write_catalog(catalog, output)
        say(f"written: mammograms, abnormalities and defects (.parquet) in {output}")


def _cells(row: CensusRow) -> tuple[str, ...]:
    def of(present: int, named: int) -> str:
        return f"{present}/{named}"

    return (
        str(row.kind or "all"),
        str(row.published or "all"),
        str(row.rows),
        str(row.malignant),
        of(row.mammograms_present, row.mammograms_named),
        of(row.masks_present, row.rows),
        of(row.crops_present, row.rows),
        of(row.patients_present, row.patients),
    )
