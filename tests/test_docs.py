"""docs/data.md says what the code does: its traps, its counts and its commands."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from mammoscope.catalog.case_descriptions import FILES, read_case_descriptions
from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.findings import find_in_headers
from mammoscope.catalog.join import join
from mammoscope.cli.__main__ import _parser
from mammoscope.compose import compose_config
from mammoscope.vocabulary import Trap

LINES = (Path(__file__).resolve().parents[1] / "docs" / "data.md").read_text("utf-8").splitlines()
IN_FILES = "files"  # the count of a trap that the case descriptions cannot tell


def _section(title: str) -> list[str]:
    start = LINES.index(f"## {title}")
    end = next((n for n in range(start + 1, len(LINES)) if LINES[n].startswith("## ")), len(LINES))
    return LINES[start:end]


def _first_cells(title: str) -> list[list[str]]:
    """The cells of a section's rows that begin with a word in code."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _section(title) if line.startswith("| `")]
    assert rows, f"the section {title} has a table"
    return rows


def _commands() -> list[str]:
    """What the code blocks run, with a number where a shell would put one."""
    found = [line.strip() for line in LINES if line.strip().startswith("mammoscope ")]
    return [re.sub(r"\$\w+", "1", line) for line in found]


def _overrides(words: str) -> list[str]:
    return [word for word in shlex.split(words) if re.match(r"[a-z_.]+=", word)]


TRAPS = {cells[0].strip("`"): cells[1] for cells in _first_cells("The traps")}
COMPOSED = [command for command in _commands() if command.split()[1] in ("prepare", "train", "evaluate")]
OF_DATA = [command for command in _commands() if command.split()[1] == "data"]
IN_TABLES = [re.findall(r"`([^`]+)`", row[0])[0] for title in ("Splits", "Variants") for row in _first_cells(title)]


def test_every_trap_stands_in_the_table_in_its_order():
    assert list(TRAPS) == list(Trap)


def test_the_counts_are_those_of_the_official_case_descriptions(shared: Path):
    rows = read_case_descriptions([shared / "data" / "cbis_ddsm" / "csv" / name for name in FILES])
    joined = join(rows, [])
    catalog = as_catalog(
        tuple(joined.mammograms.values()), tuple(joined.abnormalities), joined.defects, is_phantom=False
    )
    counts = Counter(finding.trap for finding in find_in_headers(catalog))
    del counts[Trap.missing_series]  # no file was given

    told = {trap: int(count.split()[0]) for trap, count in TRAPS.items() if count != IN_FILES}

    assert told == counts


def test_the_commands_are_found():
    assert len(COMPOSED) >= 5
    assert len(OF_DATA) >= 5
    assert len(IN_TABLES) >= 10


@pytest.mark.parametrize("words", [*COMPOSED, *IN_TABLES])
def test_what_it_tells_to_write_composes(words: str):
    compose_config(_overrides(words))


@pytest.mark.parametrize("command", OF_DATA)
def test_its_commands_on_data_are_understood(command: str):
    arguments = _parser().parse_args(shlex.split(command)[1:])

    assert arguments.command == "data"
