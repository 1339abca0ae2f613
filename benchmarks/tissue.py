"""target=tissue on the phantom: what is normal, where the peak lies, and malignancy beside target=malignancy.

    python benchmarks/tissue.py                 masses
    python benchmarks/tissue.py data=all        both kinds; any override of train.py

Targets: normal against the rest at AUC 0.95 or more; the map's peak inside a ROI more often than the brightest tissue;
the malignancy AUC no worse than that of target=malignancy on the same rows and windows (paired interval).
"""

import sys

import numpy as np

from mammoscope.compose import compose_config
from mammoscope.config import TrainConfig
from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.train import train
from mammoscope.metrics.classes import lesions_only
from mammoscope.metrics.levels import Units, units_at
from mammoscope.metrics.paired import paired_difference
from mammoscope.reporting.predictions import read_predictions
from mammoscope.tracking.lookup import RunInfo
from mammoscope.vocabulary import CLASSES, Level, Partition

TEST = Partition.test


def finished(config: TrainConfig) -> tuple[RunInfo, Units]:
    """Trained, evaluated on test; the lesions of the test partition as it scores them."""
    run_id = train(config)
    store = open_tracking(config.tracking)
    evaluate(config, store, store.find_run(run_id), TEST)
    predictions = read_predictions(store.artifact(run_id, f"predictions/{TEST}.parquet"))
    return store.find_run(run_id), units_at(lesions_only(predictions), Level.abnormality)


def show(run: RunInfo, key: str) -> None:
    say(f"{run.tags['target']}: {key}", *(run.metrics.get(f"{key}{end}", np.nan) for end in ("", "_low", "_high")))


def say(what: str, value: float, low: float, high: float) -> None:
    print(f"{what:68} {value:.3f} ({low:.3f} to {high:.3f})")


def main() -> None:
    given = ["experiment=tissue", "tracking.register=never", *sys.argv[1:]]
    config = compose_config(given)
    same_window = f"image.window_px={config.image.window_px}"
    tissue, ours = finished(config)
    malignancy, theirs = finished(compose_config([*given, "target=malignancy", "loss=bce", same_window]))
    print(f"\n{' '.join(sys.argv[1:])}: {len(ours)} lesions of the test partition")
    for name in CLASSES[config.target.name]:
        show(tissue, f"{TEST}/classes/auc_{name}")
    where = f"sliding/{TEST}/localisation"
    for who in ("abnormality_peak", "malignancy_peak", "brightest_tissue", "centre"):
        show(tissue, f"{where}/{who}")
    for who in ("abnormality_peak", "malignancy_peak"):
        show(tissue, f"{where}/{who}_over_brightest_tissue")
    show(tissue, f"sliding/{TEST}/image/auc")
    show(tissue, f"{TEST}/abnormality/auc")
    show(malignancy, f"{TEST}/abnormality/auc")
    found = paired_difference(ours, theirs, rng=np.random.default_rng(0)).difference
    say("malignancy AUC, tissue less malignancy, paired", found.value, found.low, found.high)


if __name__ == "__main__":
    main()
