"""A run's config, as it is needed again: the run's own but for where things lie and what computes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import LOCAL
from mammoscope.jobs.provenance import CONFIG_FILE
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore


def run_config(
    store: TrackingStore, run: RunInfo, given: TrainConfig, keys: Sequence[str], parse: Callable[[str], TrainConfig]
) -> TrainConfig:
    """The config that the run was trained with, with those of `given`'s groups that `keys` (overrides) name.

    It is read from the run's folder, which knows the source's root; elsewhere from the run's artifacts, which do not.

    Raises MammoscopeError where the root is not known here and `source.root` is not given.
    """
    whole = run.folder / CONFIG_FILE
    own = parse((whole if whole.is_file() else store.artifact(run.id, CONFIG_FILE)).read_text())
    groups = {key.partition(".")[0] for key in keys}
    config = replace(own, tracking=given.tracking)
    if "source" in groups:
        config = replace(config, source=given.source)
    elif any((place or "").startswith(LOCAL) for place in (own.source.root, own.source.csv)):
        place = "source.root=<folder>" if own.source.csv is None else "source.csv=<file>"
        raise MammoscopeError(
            f"run {run.id}: this machine does not know where its source lies; give source={own.source.name} {place}"
        )
    if "phantom" in groups:
        config = replace(config, phantom=given.phantom)
    if "store" in groups or own.store.root.startswith(LOCAL):
        config = replace(config, store=given.store)
    if "split.allow" in keys or (own.split.allow or "").startswith(LOCAL):
        config = replace(config, split=replace(own.split, allow=given.split.allow))
    trainer = {
        key.partition(".")[2]: getattr(given.trainer, key.partition(".")[2])
        for key in keys
        if key.startswith("trainer.")
    }
    return replace(config, trainer=replace(own.trainer, **trainer))
