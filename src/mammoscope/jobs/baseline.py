"""The frozen head on the same split: what a fine-tuned run has to beat, and naive fine-tuning often does not."""

from collections.abc import Mapping

from mammoscope.config import TrainConfig
from mammoscope.jobs.provenance import Provenance, run_tags
from mammoscope.metrics.evidence import Evidence
from mammoscope.reporting.console import say
from mammoscope.tracking.outage import StoreAway
from mammoscope.tracking.store import TrackingStore
from mammoscope.vocabulary import Trainable

SAME = ("data", "image", "view", "target", "certificate")  # tags: who shares them has scored the very same rows


def frozen_head_aucs(
    store: TrackingStore, config: TrainConfig, provenance: Provenance, evidence: Evidence
) -> Mapping[str, float]:
    """AUCs of the latest finished `model.trainable=head` run, by what they are called; empty where there is none.

    Nor is there one where the tracking store does not answer: a comparison is not worth a training.
    """
    if config.model.trainable is Trainable.head:
        return {}
    own = run_tags(config, provenance)
    try:
        run = store.latest_finished({key: own[key] for key in SAME} | {"trainable": str(Trainable.head)})
    except StoreAway as away:
        say(f"not compared with a frozen head: {away}")
        return {}
    if run is None:
        return {}
    key = f"{evidence.partition}/{{}}/auc"
    return {
        f"frozen head on the same rows ({run.name}, run {run.id[:8]}), {level} level": run.metrics[key.format(level)]
        for level in evidence.levels
        if key.format(level) in run.metrics
    }
