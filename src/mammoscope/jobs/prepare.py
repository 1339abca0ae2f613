"""`mammoscope prepare`: everything that a run would do before it begins, and nothing after."""

from mammoscope.checks import part_of
from mammoscope.config import TrainConfig
from mammoscope.jobs.gather import gather, load_source, say_partitions
from mammoscope.jobs.stores import plan_stores, prepare_part
from mammoscope.jobs.table import settle_table
from mammoscope.reporting.console import say


def prepare(config: TrainConfig) -> None:
    """Draws the phantom, indexes, prepares and certifies. Raises MammoscopeError where training would.

    With `prepare.part`, the share of the stores that it names; only the part that completes them goes on to certify.
    """
    config = settle_table(config)
    part = part_of(config.prepare)
    if part is not None:
        source = load_source(config)
        if not prepare_part(config, source.root, plan_stores(config, source.catalog), part):
            say(f"prepare.part={config.prepare.part} is done; what is left is told above")
            return
    data = gather(config, refuse_early=False)  # what is prepared of a partial download serves when the rest has come
    for store in data.stores.values():
        say(f"{store.folder.name}: {len(store.rows)} images, {len(store.defects)} defects, in {store.folder}")
    say_partitions(data)
    say(f"split {data.certificate.digest}")
