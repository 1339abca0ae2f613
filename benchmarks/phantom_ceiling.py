"""How near a trained network comes to the best score that there is, which only a phantom knows. Target: within 0.03.

    python benchmarks/phantom_ceiling.py [--patients N] [--work FOLDER] [OVERRIDE ...]

Draws a phantom, trains on its masses and on its calcifications, opens the test partition and compares the AUC with the
ideal observer's on the very same rows. Exit status 1 where the gap is wider than the target. Slow: most of an hour on
two cores. FOLDER keeps tree, store and runs for the next time.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from mammoscope.compose import compose_config
from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.train import train
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Level, Partition

TARGET = 0.03
RECIPE = ("model=efficientnet_lite0", "trainer.epochs=12", "trainer.batch_size=32")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--data", choices=list(CBIS_DDSM_KINDS), action="append", help="one kind; default: both")
    arguments, overrides = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = (arguments.work or Path(scratch)).resolve()
        places = (f"store.root={work}/store", f"tracking.uri=sqlite:///{work}/mlflow.db", f"tracking.home={work}")
        common = (f"phantom.patients={arguments.patients}", *places, "tracking.register=never", *RECIPE, *overrides)
        gaps = [gap(kind, *common) for kind in arguments.data or AbnormalityKind]
    sys.exit(max(gaps) > TARGET)


def gap(kind: AbnormalityKind, *overrides: str) -> float:
    """Trains on one kind, prints a line, returns ideal AUC - the network's."""
    config = compose_config([f"data={kind}", *overrides])
    store = open_tracking(config.tracking)
    report = evaluate(config, store, store.find_run(train(config)), Partition.test)
    auc = report.evidence.result(Level.abnormality, "auc")
    ideal = next(value for name, value in report.references.items() if "same rows, abnormality" in name)
    print(
        f"{kind}: network {auc.value:.3f} ({auc.low:.3f}-{auc.high:.3f}), ideal observer {ideal:.3f}, "
        f"gap {ideal - auc.value:.3f} (target {TARGET}), {auc.n} test rows of {auc.patients} patients",
        flush=True,
    )
    return ideal - auc.value


if __name__ == "__main__":
    main()
