"""Which runs there are, how far they are, and which of those that should be running are dead."""

from dataclasses import dataclass
from enum import StrEnum

from mlflow.entities import Run

from mammoscope.tracking.heartbeat import SILENT_S, age_s
from mammoscope.tracking.liveness import take_life
from mammoscope.tracking.lookup import PAGE, RunInfo, run_info, search
from mammoscope.tracking.origin import is_this_host
from mammoscope.tracking.outage import answered
from mammoscope.tracking.store import HOST, TrackingStore


class Life(StrEnum):
    """Of a run. Only what is seen by a lock of this host is ever ended from here (TrackingStore.reap)."""

    running = "running"
    dead = "dead"  # on this host, without its process: how it ended waits to be sent, else it were KILLED by now
    silent = "silent"  # on another host, and its heartbeat stopped
    ended = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    run: RunInfo
    experiment: str
    life: Life
    is_here: bool
    heartbeat_age_s: float | None
    epochs: int | None  # that are done; None where none is
    steps: int | None  # of the whole training, at its last reading


def roster(store: TrackingStore, *, ended: int | None) -> list[Seen]:
    """All runs that are RUNNING, latest first, then those that ended last, so many of them; None: all.

    Of all the store's experiments. Raises StoreAway.
    """
    with store.locked(), answered(store.location.given):
        experiments = {e.experiment_id: e.name for e in store.client.search_experiments()}
        ids = list(experiments)
        found = list(search(store.client, ids, "attributes.status = 'RUNNING'"))
        others = "attributes.status != 'RUNNING'"
        found += search(store.client, ids, others) if ended is None else _last(store, ids, others, ended)
        runs = [run_info(run, store.folder) for run in found]
        return [_seen(store, run, experiments[run.experiment_id]) for run in runs]


def _last(store: TrackingStore, experiments: list[str], condition: str, count: int) -> list[Run]:
    if count == 0:  # which MLflow refuses
        return []
    order = ["attributes.end_time DESC"]
    return list(store.client.search_runs(experiments, condition, max_results=min(count, PAGE), order_by=order))


def _seen(store: TrackingStore, run: RunInfo, experiment: str) -> Seen:
    is_here = is_this_host(run.tags.get(HOST, ""))
    epochs = _last_step(store, run, "epoch/train/loss")
    return Seen(
        run=run,
        experiment=experiment,
        life=Life.ended if run.status != "RUNNING" else _life(run, is_here),
        is_here=is_here,
        heartbeat_age_s=age_s(run.tags),
        epochs=None if epochs is None else epochs + 1,
        steps=_last_step(store, run, "step/train/loss"),
    )


def _life(run: RunInfo, is_here: bool) -> Life:
    if is_here and run.folder.is_dir():
        lock = take_life(run.folder)
        if lock is None:
            return Life.running
        lock.release()
        return Life.dead
    age = age_s(run.tags)
    return Life.silent if age is None or age > SILENT_S else Life.running


def _last_step(store: TrackingStore, run: RunInfo, metric: str) -> int | None:
    if metric not in run.metrics:
        return None
    return max(point.step for point in store.client.get_metric_history(run.id, metric))
