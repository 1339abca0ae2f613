"""Two views of a breast, fused (view=pair), against the mean of the scores of each (view=both), at breast level.

Both are trained alike on one phantom: the same patients, images and epochs, and as many images a step. Every breast of
the test partition is then scored by both, and the difference of their AUCs has a paired interval over patients.

    python benchmarks/pair_views.py [--work FOLDER] [patients=900] [epochs=12] [fusion=concatenation] [seed=0] [K=V]

FOLDER keeps the phantom, the prepared stores and the runs, so that a second call draws nothing anew. What has a dot in
its name, as optimizer.lr has, is an override of the config of both.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from mammoscope.compose import compose_config
from mammoscope.config import TrainConfig
from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.train import train
from mammoscope.metrics.evidence import quick_auc
from mammoscope.metrics.levels import Units, units_at
from mammoscope.metrics.paired import paired_difference
from mammoscope.reporting.wording import difference_text
from mammoscope.vocabulary import Level, Partition

DEFAULTS = {"patients": "900", "epochs": "12", "fusion": "concatenation", "seed": "0"}
BREASTS_A_STEP = 16


def config_of(folder: Path, settings: dict[str, str], *view: str) -> TrainConfig:
    return compose_config(
        [
            f"phantom.patients={settings['patients']}",
            "phantom.d_prime=3",  # ideal AUC 0.983: what is lost is lost by the networks
            "phantom.height_px=360",
            "phantom.width_px=240",
            "phantom.test_fraction=0.4",
            f"store.root={folder}/store",
            f"tracking.uri=sqlite:///{folder}/mlflow.db",
            f"tracking.home={folder}",
            "tracking.register=never",
            "data=mass",
            "image=full",
            "model=efficientnet_lite0",
            f"trainer.epochs={settings['epochs']}",
            f"seed={settings['seed']}",
            *view,
            *(f"{key}={value}" for key, value in settings.items() if "." in key),
        ]
    )


def breasts(config: TrainConfig) -> tuple[Units, float]:
    """Scores of the test partition's breasts by a run that is trained first, and the ideal observer's AUC of them."""
    started = time.perf_counter()
    store = open_tracking(config.tracking)
    run = store.find_run(train(config))
    report = evaluate(config, store, run, Partition.test)
    print(f"{run.name}: {time.perf_counter() - started:.0f} s")
    ideal = next(auc for name, auc in report.references.items() if name.endswith("breast level"))
    assert quick_auc(report.predictions)[Level.breast] == report.evidence.result(Level.breast, "auc").value
    return units_at(report.predictions, Level.breast), ideal


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path)
    arguments, given = parser.parse_known_args()
    settings = DEFAULTS | dict(setting.split("=", 1) for setting in given)
    with tempfile.TemporaryDirectory() as scratch:
        compare((arguments.work or Path(scratch)).resolve(), settings)


def compare(folder: Path, settings: dict[str, str]) -> None:
    pair = config_of(
        folder, settings, "view=pair", f"view.fusion={settings['fusion']}", f"trainer.batch_size={BREASTS_A_STEP}"
    )
    both = config_of(folder, settings, "view=both", f"trainer.batch_size={2 * BREASTS_A_STEP}")
    fused, ideal_fused = breasts(pair)
    mean, ideal_mean = breasts(both)
    found = paired_difference(fused, mean, rng=np.random.default_rng(0))
    print(f"{len(fused)} breasts of {len(np.unique(fused.patients))} patients, {fused.positives} malignant")
    print(f"view=pair, {settings['fusion']}: AUC {found.first:.3f} (ideal observer {ideal_fused:.3f})")
    print(f"view=both, mean of views: AUC {found.second:.3f} (ideal observer, mean of views {ideal_mean:.3f})")
    gap = found.difference
    print(f"difference {difference_text(gap)}, paired bootstrap over patients")


if __name__ == "__main__":
    main()
