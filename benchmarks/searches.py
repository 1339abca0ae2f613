"""What a trial of a search costs beside its training.

    python benchmarks/searches.py [--trials 12]

A real search, one warm worker, trainings of seconds: from a trial's claim to its result less its training
(`cost/training_s`), and the same from one claim to the next. Peer: a process a trial, `python train.py` with the same
settings, its wall time less its training (`kept/seconds`); the ratio is the peer's over ours. The peer also describes
and logs its model, which a search does for its best three only, at its end.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
from mlflow import MlflowClient

from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom
from mammoscope.search.trials import RUN

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # what tests have for it, too

from tests.small import SMALL

CHECKOUT = Path(__file__).resolve().parents[1]
PHANTOM = PhantomConfig(patients=60, seed=1, d_prime=2.5, height_px=256, width_px=176, test_fraction=0.3)
TRIAL_S, PEER_TIMES = 0.5, 10.0


def command(folder: Path, home: str, *more: str) -> list[str]:
    places = (
        f"source.root={folder}/phantom",
        f"store.root={folder}/store",
        f"tracking.uri=sqlite:///{folder}/{home}/mlflow.db",
        f"tracking.home={folder}/{home}",
        f"hydra.run.dir={folder}/{home}/hydra",
    )
    return [sys.executable, str(CHECKOUT / "train.py"), *more, *places, *SMALL, "tracking.register=never"]


def timed(arguments: list[str], folder: Path) -> float:
    started = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two threads that wait for each other tell of other work
    ran = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, env=environment)
    if ran.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
    return time.perf_counter() - started


def a_trial(folder: Path, trials: int) -> bool:
    """Whether both targets are met."""
    write_phantom(folder / "phantom", PHANTOM, workers=1)
    search = ("search.name=measured", f"search.trials={trials}", "search.pruner=none", "search.workers=1")
    whole = timed(command(folder, "ours", "-m", "search=quick", *search), folder)
    study = optuna.load_study(study_name="measured", storage=f"sqlite:///{folder}/ours/searches.db")
    client = MlflowClient(f"sqlite:///{folder}/ours/mlflow.db")
    warm = study.trials[1:]  # the first one prepares the data and is cold
    training = [client.get_run(trial.user_attrs[RUN]).data.metrics["cost/training_s"] for trial in warm]
    within = [trial.duration.total_seconds() - own for trial, own in zip(warm, training, strict=True)]
    pairs = itertools.pairwise(warm)
    between = [(after.datetime_start - one.datetime_complete).total_seconds() for one, after in pairs]
    ours, next_claim = statistics.median(within), statistics.median(between)
    print(f"trial: a search of {trials} took {whole:.1f} s, a training {statistics.median(training):.2f} s (median)")
    print(
        f"  from claim to result, beside the training: {ours:.2f} s (median; {min(within):.2f} to {max(within):.2f}; "
        f"target: at most {TRIAL_S}); from a result to the next claim: {next_claim:.2f} s"
    )
    peers = [process_a_trial(folder, f"peer{place}") for place in range(2)]
    peer = statistics.median(peers)
    print(f"  a process a trial: {peer:.1f} s beside the training ({min(peers):.1f} to {max(peers):.1f})")
    claims = peer / (ours + next_claim)
    print(f"  peer : ours {peer / ours:.1f} (target: at least {PEER_TIMES:g}); from claim to claim {claims:.1f}")
    return ours <= TRIAL_S and peer >= PEER_TIMES * ours


def process_a_trial(folder: Path, home: str) -> float:
    whole = timed(command(folder, home), folder)
    client = MlflowClient(f"sqlite:///{folder}/{home}/mlflow.db")
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return whole - run.data.metrics["kept/seconds"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=12)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        return int(not a_trial(Path(place), told.trials))


if __name__ == "__main__":
    sys.exit(main())
