"""The five folds of `split=cv5` as one: each fold's scores are by the run that did not train on it.

  python experiments/five_folds.py EXPERIMENT         the pooled AUC of an experiment's runs, one finished run a fold
  python experiments/five_folds.py EXPERIMENT OTHER   of another's too, and the difference on the same rows

EXPERIMENT is `tracking.experiment`, --uri is `tracking.uri`. In brackets: 95 % interval, bootstrap over patients.
With `trainer.kept_epoch=best` each fold has chosen its own epoch, and the figure flatters.
"""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.intervals import patient_bootstrap
from mammoscope.metrics.levels import Units, applicable_levels, units_at
from mammoscope.metrics.paired import paired_difference
from mammoscope.metrics.scores import roc_auc
from mammoscope.records import Predictions
from mammoscope.reporting.predictions import read_predictions
from mammoscope.reporting.wording import difference_text, interval_text
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.vocabulary import CV_FOLDS


def of_each_fold(store: TrackingStore, experiment: str) -> list[Predictions]:
    found = store.client.get_experiment_by_name(experiment)
    if found is None:
        raise MammoscopeError(f"{experiment}: there is no such experiment")
    runs = store.client.search_runs([found.experiment_id], "attributes.status = 'FINISHED'")
    folds = {run.data.params.get("split.fold", "none"): run.info.run_id for run in runs}
    if len(runs) != CV_FOLDS or sorted(folds) != [str(fold) for fold in range(CV_FOLDS)]:
        raise MammoscopeError(
            f"{experiment}: {len(runs)} finished runs, of folds {', '.join(sorted(folds))}; allowed: one of each, 0 to "
            f"{CV_FOLDS - 1}"
        )
    return [read_predictions(store.artifact(run, "predictions/validation.parquet")) for _, run in sorted(folds.items())]


def pooled(folds: list[Predictions]) -> Predictions:
    columns = [field.name for field in fields(Predictions) if isinstance(getattr(folds[0], field.name), np.ndarray)]
    return replace(
        folds[0], classes=None, **{name: np.concatenate([getattr(fold, name) for fold in folds]) for name in columns}
    )


def auc_text(units: Units) -> str:
    auc = patient_bootstrap(units, {"auc": roc_auc}, rng=np.random.default_rng(0))["auc"]
    return f"{interval_text(auc)}, {len(units)} units, {len(set(units.patients))} patients"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("other", nargs="?")
    parser.add_argument("--uri", default="sqlite:///mlruns/mlflow.db")
    options = parser.parse_args()
    names = [name for name in (options.experiment, options.other) if name is not None]
    try:
        store = open_store(options.uri, "mammoscope", home=Path("mlruns"))  # where runs are by default
        scored = [pooled(of_each_fold(store, name)) for name in names]
        for level in applicable_levels(scored[0].finest):
            units = [units_at(predictions, level) for predictions in scored]
            for name, each in zip(names, units, strict=True):
                print(f"{level}: {name} {auc_text(each)}")
            if options.other is not None:
                paired = paired_difference(*units, rng=np.random.default_rng(0))
                print(f"{level}: {names[0]} - {names[1]} {difference_text(paired.difference)}")
    except MammoscopeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
