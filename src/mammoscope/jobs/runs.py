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

COLUMNS = ("state", "run", "name", "host", "begun (UTC)", "took", "epochs", "steps", "validation AUC", "heartbeat")
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
    several = len({seen.experiment for seen in runs}) > 1
    table = Table(*COLUMNS, *(["experiment"] if several else []), box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for seen in runs:
        table.add_row(*_row(seen), *([seen.experiment] if several else []))
    console.print(table)
    for life in NOTES.keys() & {seen.life for seen in runs}:
        say(NOTES[life])


def _row(seen: Seen) -> tuple[str, ...]:
    run, is_over = seen.run, seen.life is Life.ended
    age = seen.heartbeat_age_s
    return (
        run.status if is_over else str(seen.life),
        run.id[:8],
        run.name,
        "this" if seen.is_here else "another",
        f"{run.started:%Y-%m-%d %H:%M}",
        in_words(((run.ended or datetime.now(UTC)) - run.started).total_seconds()),
        f"{seen.epochs or 0}/{run.params.get('trainer.epochs', '?')}",
        "" if seen.steps is None else str(seen.steps),
        _auc(run),
        "" if is_over else "none" if age is None else f"{in_words(age)} ago",
    )


def _auc(run: RunInfo) -> str:
    """The last epoch's, at the finest level, by which the best epoch is chosen."""
    found = ((level, run.metrics.get(f"epoch/validation/{level}/auc")) for level in Level)
    return next((f"{auc:.3f} {level}" for level, auc in found if auc is not None), "")
