"""The results of a partition as a table: for a terminal, and as Markdown for a run's description."""

from collections.abc import Iterable, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from mammoscope.metrics.classes import ClassEvidence
from mammoscope.metrics.evidence import Evidence
from mammoscope.metrics.localisation import Localisation
from mammoscope.reporting.wording import INTERVAL_NOTE, interval_text
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Level

COLUMNS = ("level", "n", "positives", "patients", "AUC", "sensitivity", "specificity", "threshold")
BROKEN = {"sensitivity": "sensi-\ntivity", "specificity": "speci-\nficity"}  # so that a row fits 80 columns


def results_table(evidence: Evidence, *, title: str, references: Mapping[str, float]) -> Table:
    """A row a level, 80 columns wide.

    references: the AUC, by name, of others who were asked about the same units. They follow as lines of their own,
    because a column of so few letters would break their names.
    """
    others = "".join(f"{name}: AUC {auc:.3f}\n" for name, auc in references.items())
    table = Table(
        title=title,
        title_justify="left",
        caption=Text(others).append(f"{INTERVAL_NOTE}\n{RESEARCH_USE_ONLY}", style="dim"),
        caption_justify="left",
        caption_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    table.add_column(COLUMNS[0], vertical="bottom", no_wrap=True)
    for column in COLUMNS[1:]:
        table.add_column(BROKEN.get(column, column), justify="right", vertical="bottom", no_wrap=True)
    for level in evidence.levels:
        table.add_row(*_row(evidence, level))
    return table


def classes_table(classes: ClassEvidence) -> Table:
    """A row a class: how well it is told from the rest, and what its rows are called."""
    table = Table(
        title=f"{classes.partition}: {classes.n} rows of {classes.patients} patients, called what is most probable",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    first, *others = _class_columns(classes)
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right")
    for row in _class_rows(classes):
        table.add_row(*row)
    return table


def _class_columns(classes: ClassEvidence) -> tuple[str, ...]:
    return "class", "n", "AUC against the rest", *(f"called {name.replace('_', ' ')}" for name in classes.names)


def _class_rows(classes: ClassEvidence) -> list[tuple[str, ...]]:
    return [
        (
            name.replace("_", " "),
            str(counts.sum()),
            interval_text(classes.aucs[name]) if name in classes.aucs else "-",
            *map(str, counts),
        )
        for name, counts in zip(classes.names, classes.confusion, strict=True)
    ]


def localisation_table(found: Localisation) -> Table:
    """A row for each who points at one place of an image."""
    table = Table(
        title=f"Peak inside a ROI: {found.n} images of {found.patients} patients",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for number, column in enumerate(_localisation_columns(found)):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in _localisation_rows(found):
        table.add_row(*row)
    return table


def localisation_markdown(found: Localisation) -> str:
    columns = _localisation_columns(found)
    ruler = ["---"] + ["---:"] * (len(columns) - 1)
    lines = [_line(row) for row in (columns, ruler, *_localisation_rows(found))]
    return "\n".join([f"Peak inside a ROI, {found.n} images of {found.patients} patients:", "", *lines])


def _localisation_columns(found: Localisation) -> tuple[str, ...]:
    return "who points", "share of images", f"more than {found.blind.replace('_', ' ')}"


def _localisation_rows(found: Localisation) -> list[tuple[str, ...]]:
    return [
        (who.replace("_", " "), interval_text(share), interval_text(found.gains[who]) if who in found.gains else "")
        for who, share in found.shares.items()
    ]


def results_markdown(
    evidence: Evidence, classes: ClassEvidence | None = None, *, title: str, references: Mapping[str, float]
) -> str:
    """The same under a heading of the third order, with a row a reference; no line break at the end."""
    ruler = ["---"] + ["---:"] * (len(COLUMNS) - 1)
    levels = [_row(evidence, level) for level in evidence.levels]
    others = [(name, "", "", "", f"{auc:.3f}", "", "", "") for name, auc in references.items()]
    rows = [_line(row) for row in (COLUMNS, ruler, *levels, *others)]
    if classes is not None:
        columns = _class_columns(classes)
        ruler = ["---"] + ["---:"] * (len(columns) - 1)
        rows += ["", *(_line(row) for row in (columns, ruler, *_class_rows(classes)))]
    return "\n".join([f"### {title}", "", *rows, "", f"{INTERVAL_NOTE} {RESEARCH_USE_ONLY}"])


def _row(evidence: Evidence, level: Level) -> tuple[str, ...]:
    auc = evidence.result(level, "auc")
    return (
        str(level),
        str(auc.n),
        str(auc.positives),
        str(auc.patients),
        interval_text(auc),
        f"{evidence.result(level, 'sensitivity').value:.3f}",
        f"{evidence.result(level, 'specificity').value:.3f}",
        f"{evidence.confusion(level).threshold:.3f}",
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
