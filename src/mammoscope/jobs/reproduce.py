"""`mammoscope reproduce RUN`: the same code, config and data once more, and what has become of the numbers."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import mammoscope
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.agreement import Agreement, Outcome, Verdict, compare
from mammoscope.jobs.provenance import WEIGHTS_DIGEST
from mammoscope.reporting.console import say
from mammoscope.reporting.predictions import read_predictions
from mammoscope.tracking.checkout import checked_out, code_of
from mammoscope.tracking.liveness import sigterm_raises
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import UNTRACKED, TrackingStore
from mammoscope.training.checkpoint import BEST
from mammoscope.training.determinism import Repeats
from mammoscope.training.weights_digest import weights_digest

REPRODUCES, REPRODUCTION = "reproduces", "reproduction"  # tags: of which run, and what it came to
INPUTS = ("seed", "preprocessing", "certificate", "catalog")
PREDICTIONS = "predictions/validation.parquet"
STOP_S = 60.0
Rerun = Callable[[str, RunInfo, Path | None], str]  # config as YAML, the run, its code -> the new run's id


def check_reproducible(run: RunInfo) -> None:
    """Raises MammoscopeError for a run that came to nothing."""
    if run.status != "FINISHED":
        raise MammoscopeError(f"run {run.id} is {run.status}; allowed: one that is FINISHED, for it has numbers")
    if lacking := [key for key in INPUTS if key not in run.tags]:
        raise MammoscopeError(f"run {run.id}: lacks the tag {lacking[0]}; allowed: runs of train.py")


def reproduce(store: TrackingStore, run: RunInfo, config: str, tolerance: float, rerun: Rerun) -> Verdict:
    """Trains once more what `config` (YAML) says, with the run's own code, and compares.

    The new run stays, with the tags `reproduces` and `reproduction`.

    Raises MammoscopeError where the code or the data cannot be had again; training is then not begun.
    """
    with checked_out(code_of(store, run)) as code:
        say(f"reproducing run {run.id} with {'this code' if code is None else 'its own code, in a temporary worktree'}")
        _say_untracked(run)
        again = store.find_run(rerun(config, run, code))
    agreement = compare(_outcome(store, run), _outcome(store, again))
    verdict = agreement.verdict(tolerance)
    with store.reopened(again.id) as tracker:
        tracker.tags({REPRODUCES: run.id, REPRODUCTION: str(verdict)})
    differing = _differing(store, run, again)
    for line in differing:
        say(f"differs: {line}")
    say(_in_words(verdict, agreement, tolerance))
    if verdict is not Verdict.bit_equal and run.tags.get("determinism") == Repeats.bit_equal and not differing:
        say("the run says that a repetition is bit-equal, and nothing that is known of the two differs: tell us")
    say(f"run {again.id}")
    return verdict


def rerun_apart(script: Path, config: str, run: RunInfo, code: Path | None) -> str:
    """In a process of its own, whose code may be another. Raises MammoscopeError for other inputs, and its failure."""
    with tempfile.TemporaryDirectory(prefix="mammoscope-") as folder:
        files = [Path(folder) / name for name in ("config.yaml", "inputs.json", "result.json")]
        files[0].write_text(config)
        files[1].write_text(json.dumps({key: run.tags[key] for key in INPUTS}))
        source = Path(mammoscope.__file__).parents[1] if code is None else code / "src"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])}
        # -P: the script's own folder holds no modules to import
        _wait(subprocess.Popen([sys.executable, "-P", str(script), *map(str, files)], env=environment), run)
        result = json.loads(files[2].read_text())
    if "run" not in result:
        raise MammoscopeError(f"run {run.id} cannot be reproduced from this source: {', '.join(result['differing'])}")
    return str(result["run"])


def _wait(process: "subprocess.Popen[bytes]", run: RunInfo) -> None:
    """Ctrl-C reaches both, SIGTERM is handed on: the new run ends as any other that is stopped."""
    with sigterm_raises():
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if status:
        raise MammoscopeError(f"run {run.id}: its repetition ended with status {status}; its last line says why")


def _outcome(store: TrackingStore, run: RunInfo) -> Outcome:
    best = run.folder / BEST
    digest = weights_digest(best) if best.is_file() else run.tags.get(WEIGHTS_DIGEST)
    return Outcome(read_predictions(store.artifact(run.id, PREDICTIONS)), run.metrics, digest)


def _differing(store: TrackingStore, run: RunInfo, again: RunInfo) -> list[str]:
    """What went in and is not the same: settings that count, weights to begin with, libraries, hardware."""
    tags = {key: (again.tags.get(key), run.tags.get(key)) for key in ("config_hash", "weights", "determinism")}
    then, now = store.environment(run), store.environment(again)
    lines = {key: (now.get(key), then.get(key)) for key in then | now}
    return [f"{key} {one} (the run: {other})" for key, (one, other) in (tags | lines).items() if one != other]


def _say_untracked(run: RunInfo) -> None:
    if (count := run.tags.get(UNTRACKED, "0")) != "0":
        say(f"note: {count} files of src/ and conf/ that git did not know then are not in the run's code.diff")


def _in_words(verdict: Verdict, agreement: Agreement, tolerance: float) -> str:
    limit = {Verdict.bit_equal: "", Verdict.within: f" {tolerance:g}", Verdict.differs: f" by more than {tolerance:g}"}
    return f"{verdict}{limit[verdict]}: {agreement.in_words()}"
