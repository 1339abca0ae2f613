"""Where runs are kept, opened as every command opens it: what dead processes left behind is cleared up first."""

from pathlib import Path

from mammoscope.config import TrackingConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.registration import register_kept
from mammoscope.reporting.console import say
from mammoscope.tracking.leftovers import Delivery
from mammoscope.tracking.store import TrackingStore, open_store


def open_tracking(tracking: TrackingConfig) -> TrackingStore:
    """Raises MammoscopeError where the store cannot be opened or made."""
    store, deliveries = _open(tracking)
    for delivery in deliveries:
        if delivery.sent or delivery.refusals:  # a run of another store that waits is not told at every command
            _say_delivery(delivery)
    _say_dead(store)
    return store


def sync_runs(tracking: TrackingConfig) -> None:
    """`mammoscope runs --sync`: sends and registers what was kept on this disk, and says it, a line a run.

    Raises MammoscopeError where something still waits afterwards.
    """
    store, deliveries = _open(tracking)
    for delivery in deliveries:
        _say_delivery(delivery)
    waiting = sum(delivery.left for delivery in deliveries)
    packages = register_kept(store)
    _say_dead(store)
    if not deliveries and not packages:
        say("nothing waits to be sent")
    if waiting or packages:
        raise MammoscopeError(
            f"{waiting} entries of runs and {packages} packages still wait; the lines above say why; nothing is lost"
        )


def _open(tracking: TrackingConfig) -> tuple[TrackingStore, list[Delivery]]:
    store = open_store(tracking.uri, tracking.experiment, home=Path(tracking.home), say=say)
    return store, store.send_left()


def _say_dead(store: TrackingStore) -> None:
    for dead in store.reap():
        say(f"run {dead.id} ({dead.name}) was left behind by a process that is gone: marked as KILLED")


def _say_delivery(delivery: Delivery) -> None:
    waits = f", {delivery.left} wait for {delivery.address}: {delivery.why_left}" if delivery.left else ""
    say(f"run {delivery.run_id}: {delivery.sent} entries sent{waits}")
    for refusal in delivery.refusals:
        say(f"run {delivery.run_id}: refused, and kept in the run's folder: {refusal}")
