"""`mammoscope prepare`: everything that a run would do before it begins, and nothing after."""

from mammoscope.config import TrainConfig
from mammoscope.jobs.gather import gather, say_partitions
from mammoscope.reporting.console import say


def prepare(config: TrainConfig) -> None:
    """Draws the phantom, indexes, prepares and certifies. Raises MammoscopeError where training would."""
    data = gather(config, refuse_early=False)  # what is prepared of a partial download serves when the rest has come
    for store in data.stores.values():
        say(f"{store.folder.name}: {len(store.rows)} images, {len(store.defects)} defects, in {store.folder}")
    say_partitions(data)
    say(f"split {data.certificate.digest}")
