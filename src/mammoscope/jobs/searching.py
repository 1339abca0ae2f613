"""What a command does with a search: workers pull trials, the parent run follows, and the end is drawn once."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mammoscope.errors import MammoscopeError, public_words
from mammoscope.jobs.conclude import conclude, keep_weights_of_best
from mammoscope.jobs.search_run import joined_search
from mammoscope.jobs.search_words import say_ending, say_start
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.trial import Outcome, Trials, say_trial
from mammoscope.reporting.console import say
from mammoscope.search.owners import Owner, is_gone
from mammoscope.search.search import Search
from mammoscope.search.trials import Claimed, Lost
from mammoscope.tracking.liveness import Pruned, Terminated, sigterm_raises
from mammoscope.tracking.outage import StoreAway
from mammoscope.tracking.privacy import without_paths

POLL_S = 1.0
ORPHAN_POLL_S = 2.0
REASON_LENGTH = 1000


def conduct(setting: Any, composer: Any, launch: Callable[[int], None]) -> None:
    """Starts workers until every planned trial has a result, and concludes the search, unless another command does.

    Raises MammoscopeError where too many trials failed.
    """
    search = setting.open()
    say_start(search, setting.search)
    store = open_tracking(setting.base.tracking)
    with joined_search(store, search, setting) as parent:
        while left := _left(search):
            launch(min(setting.search.workers, left))
            _wait_for_others(search)
            if search.failures_end_it() or search.is_exhausted():
                break
        parent.refresh(search, pictures=True)
        if search.failures_end_it():
            raise MammoscopeError(_failed_in_words(search))
        conclude(search, setting, composer, store, parent)
    say_ending(search)


def _left(search: Search) -> int:
    """Trials that somebody could begin now."""
    search.reap()
    results = search.results()
    if search.failures_end_it():
        return 0
    return search.plan.trials - len(results) + sum(result.state == "WAITING" for result in results)


def _wait_for_others(search: Search) -> None:
    """For trials that other commands have in hand; one whose owner dies meanwhile is there to be taken."""
    told = False
    while running := [result.number for result in search.results() if result.state == "RUNNING"]:
        if search.reap():
            return
        if not told:
            say(f"waiting for trials that other workers have: {', '.join(map(str, running))}")
            told = True
        time.sleep(POLL_S)


def _failed_in_words(search: Search) -> str:
    failed = [result for result in search.results() if result.state == "FAIL"]
    reasons = [result.attrs.get("reason", "?") for result in failed]
    common = max(set(reasons), key=reasons.count)
    return (
        f"search.max_failure_fraction={search.plan.max_failure_fraction:g}: {len(failed)} of {search.plan.trials} "
        f"trials failed, and the search {search.plan.name} ends; {reasons.count(common)} of them with: {common}; "
        "allowed: to mend that and to begin anew under another search.name, or a higher fraction"
    )


def work(setting: Any, composer: Any, trial_of: Any, *, command: Owner | None) -> int:
    """A worker: pulls trials until the search has none to give. command: as ends_with takes it.

    Returns how many trials it has brought to an end.
    """
    search = setting.open()
    store = open_tracking(setting.base.tracking)
    with ExitStack() as stack:
        stack.enter_context(sigterm_raises())
        stack.enter_context(ends_with(command))
        run = stack.enter_context(joined_search(store, search, setting))
        trials = Trials(search, setting.search, store, parent=run.run_id, search_id=run.search_id)
        stack.callback(trials.close)

        def train(claimed: Claimed) -> Outcome:
            return trial_of(setting, claimed.number, claimed.overrides, lambda config: trials.run(claimed, config))

        def after() -> None:
            with search.locked("run"):
                run.refresh(search)
                keep_weights_of_best(search, store)

        return pull(search, train, after)


def pull(search: Search, train: Callable[[Claimed], Outcome], after: Callable[[], object]) -> int:
    """Trial after trial, whatever becomes of each. after: a trial has been told."""
    done = 0
    while (claimed := search.claim()) is not None:
        say_trial(claimed)
        try:
            with search.alive(claimed):
                _settle(search, claimed, train)
        except Lost as lost:
            say(f"{lost}: its result here is dropped")
            continue
        done += 1
        after()
    return done


def _settle(search: Search, claimed: Claimed, train: Callable[[Claimed], Outcome]) -> None:
    """Raises Lost; what stops this process puts the trial back and goes on."""
    try:
        outcome = train(claimed)
    except (Lost, KeyboardInterrupt, Terminated, StoreAway) as stop:
        if not isinstance(stop, Lost):
            search.put_back(claimed)
        raise
    except Pruned as pruned:
        search.tell_pruned(claimed, str(pruned))
        say(f"trial {claimed.number} pruned: {pruned}")
    except Exception as error:
        kind = "" if isinstance(error, MammoscopeError) else f"{type(error).__name__}: "
        reason = without_paths(f"{kind}{public_words(error)}")
        search.tell_failed(claimed, reason[:REASON_LENGTH])
        say(f"trial {claimed.number} failed: {reason}")
    else:
        search.tell(claimed, outcome.values, constraints=outcome.constraints, attrs=outcome.attrs)
        told = ", ".join(
            f"{objective.key} {value:.4f}"
            for objective, value in zip(search.plan.objectives, outcome.values, strict=True)
        )
        say(f"trial {claimed.number} done: {told}")


@contextmanager
def ends_with(command: Owner | None) -> Iterator[None]:
    """A worker whose command has gone gets SIGTERM: it keeps its training, puts its trial back, and its process ends.

    It ends for itself: joblib's loop would hold memory and GPU for minutes, waiting for more work.
    command: None for workers of a cluster, which outlive it: their search goes on.
    """
    if command is None or command.pid == os.getpid():
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(ORPHAN_POLL_S):
            if is_gone(command):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True, name="watch over the command")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if is_gone(command):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(128 + signal.SIGTERM)
