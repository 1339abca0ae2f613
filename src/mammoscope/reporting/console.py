"""What a person at a terminal sees: plain lines, tables, and progress: a bar on a terminal, lines elsewhere."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mammoscope.reporting.live import Line, LiveLine, PlainLines, can_redraw

PLAIN_EVERY_S = 10.0
_DRAWN_EVERY_S = 0.1

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = max(console.width, 160)  # a file or a pipe has no width: no cell is cut for it
_of = ""  # before each line
_line: Line | None = None  # that is open, and that everything else steps over


def say(line: str) -> None:
    """One line to standard output, at once."""
    with nullcontext() if _line is None else _line.aside():
        console.print(f"{_of}{line}", markup=False)


@contextmanager
def said_of(what: str) -> Iterator[None]:
    """Put before what is said in the block: several processes may say things to one terminal."""
    global _of
    former, _of = _of, what
    try:
        yield
    finally:
        _of = former


@contextmanager
def line_in_place() -> Iterator[Line]:
    """A line about a job of hours: redrawn where standard error is a terminal, elsewhere said once a minute."""
    global _line
    line: Line = LiveLine(sys.stderr) if can_redraw(sys.stderr) and not console.quiet else PlainLines(say)
    _line = line
    try:
        yield line
    finally:
        _line = None
        line.close()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Gives f(done, total); called as often as one likes.

    The bar has no thread that redraws it: what forks processes does so only where there is none.
    """
    if not console.is_terminal:
        yield _plain_progress(what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        yield _redrawn(bar, bar.add_task(what, total=None))


def _redrawn(bar: Progress, task: TaskID) -> Callable[[int, int], None]:
    last = -math.inf

    def step(done: int, total: int) -> None:
        nonlocal last
        bar.update(task, completed=done, total=total)
        if time.monotonic() - last >= _DRAWN_EVERY_S:
            last = time.monotonic()
            bar.refresh()

    return step


def _plain_progress(what: str) -> Callable[[int, int], None]:
    last = time.monotonic()

    def step(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_EVERY_S:
            last = time.monotonic()
            say(f"{what}: {done} of {total}")

    return step
