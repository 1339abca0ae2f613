"""The search's own run in MLflow: what its trials have come to so far, for whoever looks."""

import csv
import io
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from mammoscope.jobs.provenance import environment_of
from mammoscope.jobs.search_pictures import draw_pictures
from mammoscope.jobs.trial_tags import SEARCH
from mammoscope.reporting.leaderboard import TrialRow, leaderboard_page
from mammoscope.search.search import Search
from mammoscope.search.trials import RUN, SPREAD, Result
from mammoscope.tracking.run import MlflowTracker
from mammoscope.tracking.store import TrackingStore
from mammoscope.training.device import find_device, find_precision
from mammoscope.vocabulary import RESEARCH_USE_ONLY

SEARCH_OWN_ID = "mammoscope:search_id"  # attribute of the study: a name may be used anew, this not
PICTURES_EVERY_S = 60.0
PAGE, TABLE = "leaderboard.html", "trials.csv"


@final
class SearchRun:
    """Several processes may write it: each does under the search's lock."""

    def __init__(self, tracker: MlflowTracker, name: str, search_id: str):
        self._tracker, self.name, self.search_id = tracker, name, search_id
        self._pictured = time.monotonic()

    @property
    def run_id(self) -> str:
        return self._tracker.run_id

    @property
    def tracker(self) -> MlflowTracker:
        return self._tracker

    def refresh(self, search: Search, *, pictures: bool = False) -> None:
        """Best value, best parameters and the trials' table; pictures when they are a minute old, or asked for."""
        results = search.results()
        over = sum(result.state in ("COMPLETE", "PRUNED", "FAIL") for result in results)
        tags = {f"trials_{state.lower()}": str(sum(r.state == state for r in results)) for state in STATES}
        best = search.best()
        if best:
            keys = [objective.key for objective in search.plan.objectives]
            numbers = {f"best/{key}": value for key, value in zip(keys, best[0].values, strict=True)}
            self._tracker.metrics(numbers, step=over)
            tags |= {"best_trial": str(best[0].number), "best_run": best[0].attrs.get(RUN, "")}
            tags |= {f"best.{key}": str(value) for key, value in best[0].params.items()}
        self._tracker.tags(tags)
        self._tracker.text(trials_csv(search, results), TABLE)
        if pictures or time.monotonic() - self._pictured > PICTURES_EVERY_S:
            self._pictured = time.monotonic()
            self._tracker.text(_page(search, results), PAGE)
            for name, figure in draw_pictures(search):
                self._tracker.figure(figure, f"figures/{name}.png")


STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")


@contextmanager
def joined_search(store: TrackingStore, search: Search, setting: Any) -> Iterator[SearchRun]:
    """The run lives as long as one process is in this block; the last one leaves it with the search's own end."""
    with search.locked("run"):
        search_id = search.kept(SEARCH_OWN_ID)
        if search_id is None:
            search_id = secrets.token_hex(8)
            search.keep(SEARCH_OWN_ID, search_id)
        base = setting.base
        device = find_device(base.trainer)
        tags = {
            SEARCH: search.plan.name,
            "sampler": str(search.plan.sampler),
            "pruner": str(search.plan.pruner),
            "data": base.data.name,
            "image": str(base.image.name),
            "view": base.view.name,
            "target": str(base.target.name),
            "source": str(base.source.name),
            "split": str(base.split.name),
            "intended_use": RESEARCH_USE_ONLY,
        }
        tracker = store.join_run(
            search.plan.name,
            tags,
            {"search_parent": search_id},
            environment_of(device, find_precision(base.trainer, device)),
        )
        settings = {key.replace("search.space.", "space."): text for key, text in search.plan.settings.items()}
        tracker.params(settings)
    try:
        yield SearchRun(tracker, search.plan.name, search_id)
    except BaseException as error:
        _leave(tracker, search, error)
        raise
    _leave(tracker, search, None)


def _leave(tracker: MlflowTracker, search: Search, error: BaseException | None) -> None:
    states = [result.state for result in search.results()]
    is_over = len(states) >= search.plan.trials and all(state not in ("RUNNING", "WAITING") for state in states)
    if search.failures_end_it():
        tracker.finish("FAILED")
    elif is_over or search.is_exhausted():
        tracker.finish("FINISHED")
    elif error is not None or not any(state == "RUNNING" for state in states):
        tracker.finish("KILLED")
    else:
        tracker.close()  # others go on


def _page(search: Search, results: list[Result]) -> str:
    plan = search.plan
    places = {result.number: place for place, result in enumerate(search.best(len(results)))}
    order = sorted(results, key=lambda r: (places.get(r.number, len(results)), r.state != "COMPLETE", r.number))
    rows = [
        TrialRow(
            number=result.number,
            state=result.state,
            values=result.values,
            spread=result.attrs.get(SPREAD, ""),
            params=result.params,
            seconds=result.seconds,
            run=result.attrs.get(RUN, ""),
            remark=result.attrs.get("reason", "" if result.is_feasible else "not feasible"),
        )
        for result in order
    ]
    objectives = [f"{objective.direction} {objective.key}" for objective in plan.objectives]
    space = {key: range_.in_words() for key, range_ in plan.space.items()}
    return leaderboard_page(plan.name, objectives, space, rows, plan.trials)


def trials_csv(search: Search, results: list[Result]) -> str:
    """A row a trial."""
    params = sorted({key for result in results for key in result.params})
    keys = [objective.key for objective in search.plan.objectives]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["trial", "state", *keys, "spread", "feasible", *params, "seconds", "run", "reason"])
    for result in results:
        values = [repr(value) for value in result.values] or [""] * len(keys)
        seconds = "" if result.seconds is None else f"{result.seconds:.1f}"
        table.writerow(
            [
                result.number,
                result.state,
                *values,
                result.attrs.get(SPREAD, ""),
                str(result.is_feasible).lower(),
                *(result.params.get(key, "") for key in params),
                seconds,
                result.attrs.get(RUN, ""),
                result.attrs.get("reason", ""),
            ]
        )
    return text.getvalue()
