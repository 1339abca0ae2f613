"""`mammoscope runs`: what is running, how far it is, what ended last, and what is dead without having said so."""

from datetime import UTC, datetime

from rich import box
from rich.table import Table

from mammoscope.config import TrackingConfig
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.watch import in_words
from mammoscope.reporting.console import console, say
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.roster import Life, Seen, roster
from mammoscope.vocabulary import Level

CUT = ("name", "experiment")  # where a terminal is narrow
UNTOLD: dict[str, set[str]] = {"host": {"this"}, "heartbeat": {""}, "experiment": set()}  # where all rows say no more
NOTES = {
    Life.dead: "dead: its process is gone, and what it told last waits on this disk; `mammoscope runs --sync` sends it",
    Life.silent: "silent: on another host, and not heard of for minutes: most likely dead; a command there tells",
}


def show_runs(tracking: TrackingConfig, *, ended: int | None) -> None:
    """A row a run. ended: so many that ended last; None: all."""
    store = open_tracking(tracking)
    runs = roster(store, ended=ended)
    if not runs:
        say(f"no runs in {tracking.uri}")
        return
    rows = [_row(seen) for seen in runs]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    shown = [name for name in rows[0] if name not in UNTOLD or len({row[name] for row in rows} | UNTOLD[name]) > 1]
    for name in shown:
        width = None if name in CUT else max(len(name), *(len(row[name]) for row in rows))
        table.add_column(name, no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*(row[name] for name in shown))
    console.print(table)
    for life in NOTES.keys() & {seen.life for seen in runs}:
        say(NOTES[life])


def _row(seen: Seen) -> dict[str, str]:
    run, is_over = seen.run, seen.life is Life.ended
    age = seen.heartbeat_age_s
    return {
        "state": run.status if is_over else str(seen.life),
        "run": run.id[:8],
        "begun (UTC)": f"{run.started:%Y-%m-%d %H:%M}",
        "took": in_words(((run.ended or datetime.now(UTC)) - run.started).total_seconds()),
        "epochs": f"{seen.epochs or 0}/{run.params.get('trainer.epochs', '?')}",
        "steps": "" if seen.steps is None else str(seen.steps),
        "validation AUC": _auc(run),
        "heartbeat": "" if is_over else "none" if age is None else f"{in_words(age)} ago",
        "host": "this" if seen.is_here else "another",
        "name": run.name,
        "experiment": seen.experiment,
    }


def _auc(run: RunInfo) -> str:
    """The last epoch's, at the finest level, by which the best epoch is chosen."""
    found = ((level, run.metrics.get(f"epoch/validation/{level}/auc")) for level in Level)
    return next((f"{auc:.3f} {level}" for level, auc in found if auc is not None), "")
