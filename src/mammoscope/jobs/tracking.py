"""Where runs are kept, opened as every command opens it: what dead processes left behind is cleared up first."""

from pathlib import Path

from mammoscope.config import TrackingConfig
from mammoscope.reporting.console import say
from mammoscope.tracking.store import TrackingStore, open_store


def open_tracking(tracking: TrackingConfig) -> TrackingStore:
    """Raises MammoscopeError where the store cannot be opened or made."""
    store = open_store(tracking.uri, tracking.experiment, home=Path(tracking.home))
    for dead in store.reap():
        say(f"run {dead.id} ({dead.name}) was left behind by a process that is gone: marked as KILLED")
    return store
