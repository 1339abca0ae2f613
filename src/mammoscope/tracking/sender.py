"""Sends a journal in order: from a thread beside the training, which so never waits for a network, or at once."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.entries import Entry, Post, first_call, title
from mammoscope.tracking.journal import Journal
from mammoscope.tracking.outage import is_refusal, reason

LONGEST_PAUSE_S = 30.0
BEAT_EVERY_S = 45.0
STOP_S = 2.0  # a call to a server that hangs is not waited for any longer
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """What one call came to. An entry that was refused is done as well: it is not tried again."""

    done: int
    refusal: str | None = None


def send_some(journal: Journal, post: Post) -> Step:
    """Sends the next entries of the journal, as many as one call takes; done=0 where all are sent.

    Raises what `post` raises where the store is away, having marked nothing.
    """
    waiting = journal.unsent()
    if not waiting:
        return Step(0)
    call = waiting[: len(first_call([entry for entry, _ in waiting]))]
    try:
        post(journal.folder, [entry for entry, _ in call])
    except Exception as error:
        if not is_refusal(error):
            raise
        return _without_the_refused(journal, post, call, error)
    journal.mark_sent(call)
    return Step(len(call))


def _without_the_refused(journal: Journal, post: Post, call: Sequence[tuple[Entry, int]], error: Exception) -> Step:
    """The refused call again, an entry at a time up to the one that is to blame."""
    for done, (entry, until) in enumerate(call):
        try:
            if len(call) > 1:
                post(journal.folder, [entry])
                journal.mark_sent([(entry, until)])
                continue
        except Exception as own:
            if not is_refusal(own):
                raise
            error = own
        journal.mark_refused(entry, until, str(error))
        return Step(done + 1, f"{title(entry)}: {reason(error)}")
    return Step(len(call))


@final
class Sender:
    """The thread of one journal. It ends with stop(), and gives the journal up then."""

    def __init__(self, journal: Journal, post: Post, address: str, say: Say, beat: Callable[[], None] | None = None):
        """beat: tells the store that this process lives, every 45 s."""
        self.journal, self._post, self.address, self.say = journal, post, address, say
        self._beat = beat
        self._next_beat = math.inf if beat is None else time.monotonic() + BEAT_EVERY_S
        self._changed = threading.Condition()
        self._left = journal.count_unsent()
        self._failures = 0  # since a call last got through
        self._next_try = 0.0
        self._stops = False
        self._refusals: list[str] = []
        self._thread = threading.Thread(target=self._run, name="mammoscope-outbox", daemon=True)
        self._thread.start()

    @property
    def is_away(self) -> bool:
        return self._failures > 0

    def append(self, entries: Sequence[Entry]) -> None:
        """Returns when they are on this disk. Raises OSError where they cannot be."""
        with self._changed:
            self.journal.append(entries)
            self._left += len(entries)
            self._changed.notify_all()

    def check(self) -> None:
        """Raises MammoscopeError, once, for what the store refused since it was last asked."""
        with self._changed:
            refusals, self._refusals = self._refusals, []
        if refusals:
            raise MammoscopeError(f"{self.address} refused what the run told it: {'; '.join(refusals)}")

    def flush(self, limit_s: float) -> int:
        """Waits until everything is sent, but no longer than `limit_s`; returns how many entries still wait."""
        deadline = time.monotonic() + limit_s
        with self._changed:
            self._left = self.journal.count_unsent()  # Ctrl-C may have come between a line and its being counted
            self._next_try = 0.0
            self._changed.notify_all()
            while self._left and (remaining := deadline - time.monotonic()) > 0:
                self._changed.wait(remaining)
            return self._left

    def stop(self) -> None:
        with self._changed:
            self._stops = True
            self._changed.notify_all()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            while self._has_work():
                self._beat_if_due()
                try:
                    self._note(send_some(self.journal, self._post))
                except Exception as error:  # a thread has nobody to raise to: it says so, and tries again
                    self._lose(error)
        finally:
            self.journal.close()

    def _has_work(self) -> bool:
        """Waits for entries or a beat, and for the time of the next try; False where the thread is to end."""
        with self._changed:
            while not self._stops:
                due = self._next_try if self._left else max(self._next_try, self._next_beat)
                pause = due - time.monotonic()
                if pause <= 0:
                    return True
                self._changed.wait(None if math.isinf(pause) else pause)
        return False

    def _beat_if_due(self) -> None:
        """A beat that is lost is not made up for: that it is late is all that it would tell."""
        if self._beat is not None and time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + BEAT_EVERY_S
            if not self.is_away:
                with suppress(Exception):
                    self._beat()

    def _note(self, step: Step) -> None:
        if self.is_away:
            self.say(f"{self.address} is back: what was kept is being sent, {self._left} entries")
        if step.refusal is not None:
            self.say(f"{self.address} refused {step.refusal}")
        with self._changed:
            self._failures = 0
            self._left = self.journal.count_unsent()
            self._refusals += [] if step.refusal is None else [step.refusal]
            self._changed.notify_all()

    def _lose(self, error: Exception) -> None:
        if not self.is_away and not self._stops:  # stopped: the run may be discarded, journal and all
            self.say(
                f"{self.address} does not answer ({reason(error)}): the run goes on, and what it tells is kept on "
                "this disk until the store is back"
            )
        with self._changed:
            self._failures += 1
            self._next_try = time.monotonic() + min(2.0 ** (self._failures - 1), LONGEST_PAUSE_S)
