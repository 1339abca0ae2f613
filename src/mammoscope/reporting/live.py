"""One line at a terminal that is written over and over, on standard error: what takes standard output never has it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO, final

REDRAWN_EVERY_S = 0.25
PLAIN_EVERY_S = 60.0
_ERASE = "\r\x1b[K"
Text = Callable[[], str]  # asked for only when it is shown


class Line(Protocol):
    """What a long job says of itself again and again."""

    def show(self, text: Text) -> None:
        """As often as one likes: what comes too early costs a look at the clock."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While the block prints something else."""
        yield

    def close(self) -> None: ...


@final
class LiveLine:
    """Redrawn in place, at most four times a second."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._drawn = ""
        self._next = 0.0
        self._lock = threading.RLock()  # other threads have things to say, too

    def show(self, text: Text) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REDRAWN_EVERY_S
        with self._lock:
            self._draw(text())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The line is away while the block prints, and back afterwards."""
        with self._lock:
            drawn = self._drawn
            self._draw("")
            try:
                yield
            finally:
                self._draw(drawn)

    def close(self) -> None:
        with self._lock:
            self._draw("")
            self._next = float("inf")

    def _draw(self, text: str) -> None:
        """Cut to the terminal's width: a line that wraps could not be taken back."""
        if not text and not self._drawn:
            return
        try:
            self._stream.write(_ERASE + text[: _columns(self._stream) - 1])
            self._stream.flush()
        except OSError:  # the terminal was closed; the job goes on without
            self._next = float("inf")
        self._drawn = text


@final
class PlainLines:
    """Where there is no terminal: a line of its own once a minute, counted from whatever was said last."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._last = time.monotonic()

    def show(self, text: Text) -> None:
        if time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._say(text())

    @contextmanager
    def aside(self) -> Iterator[None]:
        yield
        self._last = time.monotonic()

    def close(self) -> None: ...


def can_redraw(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80  # a pseudo-terminal may not know its own
    except OSError:
        return 80
