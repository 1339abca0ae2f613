"""Two processes that do 40 calls of uneven length, one of which raises: ours against hydra-optuna-sweeper.

    python benchmarks/searches_peer.py        MAMMOSCOPE_PEER=<folder>: where the peer's environment is, or is made

The calls sleep, 0.1 to 1.3 s with a long tail, the same ones for everybody (a grid of 40 points, each once). The peer,
its newest pre-release with the joblib launcher, n_jobs=2, is asked twice: with max_failure_rate=0, as it comes, where
one failure ends the sweep, and with 1, where all calls are made. It starts two calls and waits for both; ours starts
the next call whenever a process is free. Ratio: the peer's seconds from the first call's begin to the last one's end
over ours, so that nobody's imports count; `idle` is the share of both processes' time in that span without a call.
"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from searches_store import forked

from mammoscope.jobs.searching import pull
from mammoscope.jobs.trial import Outcome
from mammoscope.search.plan import Objective, Plan
from mammoscope.search.search import Search
from mammoscope.search.space import Choice, Whole
from mammoscope.search.storage import open_storage
from mammoscope.search.trials import Claimed
from mammoscope.vocabulary import Direction, PrunerName, SamplerName

CALLS, PROCESSES, RAISES = 40, 2, 13
PEER = ("hydra-optuna-sweeper", "hydra-joblib-launcher")
KNOWN = (*PEER, "hydra-core", "optuna")
STABLE = ("hydra-optuna-sweeper<1.4", "hydra-joblib-launcher<1.4")  # with optuna<3
SCRIPT = Path(__file__).parent / "peers" / "searches_hydra.py"


@dataclass(frozen=True, slots=True)
class Ran:
    wall_s: float  # of the command, or of the forked processes
    calls: list[tuple[int, float, float]]  # number, begin, end

    @property
    def span_s(self) -> float:
        return max(end for _, _, end in self.calls) - min(begin for _, begin, _ in self.calls)

    @property
    def idle(self) -> float:
        return 1 - sum(end - begin for _, begin, end in self.calls) / (PROCESSES * self.span_s)

    def say(self, who: str, completed: int, failure: str) -> None:
        print(
            f"{who}: {self.wall_s:.1f} s in all, {self.span_s:.1f} s from first to last call, {self.idle:.0%} idle; "
            f"{len({number for number, _, _ in self.calls})} of {CALLS} called, {completed} completed; {failure}"
        )


def uneven() -> list[float]:
    return [min(1.5, 0.1 + random.Random(number).expovariate(1 / 0.35)) for number in range(CALLS)]


def calls_of(file: Path) -> list[tuple[int, float, float]]:
    rows = [line.split() for line in file.read_text().splitlines()]
    return [(int(number), float(begin), float(end)) for number, begin, end in rows]


def ours(folder: Path, seconds: list[float]) -> tuple[Ran, int]:
    plan, url, calls = grid_of_calls(), f"sqlite:///{folder}/ours.db", folder / "ours.calls"

    def call(claimed: Claimed) -> Outcome:
        number = int(claimed.params["x"])
        began = time.time()
        time.sleep(seconds[number])
        with calls.open("a") as file:
            file.write(f"{number} {began} {time.time()}\n")
        if number == RAISES:
            raise ValueError("this call raises")
        return Outcome(values=(float(number),), constraints={}, attrs={})

    def worker() -> None:
        with (folder / "ours.printed").open("a") as printed, contextlib.redirect_stdout(printed):
            pull(Search(plan, open_storage(url), {}), call, lambda: None)

    started = time.perf_counter()
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in [forked(worker) for _ in range(PROCESSES)])
    ran = Ran(time.perf_counter() - started, calls_of(calls))
    results = Search(plan, open_storage(url), {}).results()
    failures = [f"trial {one.number} FAIL ({one.attrs['reason']})" for one in results if one.state == "FAIL"]
    completed = sum(one.state == "COMPLETE" for one in results)
    ran.say("ours", completed, f"{', '.join(failures)}; {failed} processes failed")
    return ran, completed


def grid_of_calls() -> Plan:
    return Plan(
        name="calls",
        trials=CALLS,
        objectives=(Objective("x", Direction.minimize),),
        space={"x": Whole(0, CALLS - 1)},
        sampler=SamplerName.grid,
        sampler_seed=7,
        pruner=PrunerName.none,
        startup_trials=5,
        steps=1,
        warmup_steps=1,
        max_failure_fraction=0.2,
        parse=lambda key, text: Choice((text,)),
        base={},
        settings={},
    )


def environment(folder: Path) -> Path | None:
    """The peer's Python, which is made where it is not there; None where it cannot be."""
    home = Path(os.environ.get("MAMMOSCOPE_PEER") or folder / "peer")
    python = home / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    if not installed(python):
        for what in (("--pre", *PEER), STABLE):
            ran = subprocess.run([python, "-m", "pip", "install", "-q", *what], capture_output=True, text=True)
            if ran.returncode == 0:
                break
            print(f"peer: {' '.join(what)} cannot be installed: {ran.stderr.strip().splitlines()[-1:]}")
    versions = installed(python)
    print(f"peer: {versions or 'skipped, nothing can be installed'}")
    return python if versions else None


def installed(python: Path) -> str:
    """Versions in words; blank where the sweeper is not there."""
    listed = subprocess.run([python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True).stdout
    rows = [row for row in listed.splitlines() if row.partition("==")[0] in KNOWN]
    return ", ".join(rows) if any(row.startswith(PEER[0]) for row in rows) else ""


def peer(python: Path, folder: Path, seconds: list[float], rate: int) -> Ran | None:
    name = f"peer, max_failure_rate={rate}"
    told, calls = folder / "told.json", folder / f"peer{rate}.calls"
    told.write_text(json.dumps({"seconds": seconds, "raises": RAISES}))
    sweep = ("hydra/sweeper=optuna", "hydra/launcher=joblib", "hydra/sweeper/sampler=grid", f"x=range(0,{CALLS})")
    jobs = (
        f"hydra.sweeper.n_trials={CALLS}",
        f"hydra.sweeper.n_jobs={PROCESSES}",
        f"hydra.launcher.n_jobs={PROCESSES}",
    )
    storage = f"hydra.sweeper.storage=sqlite:///{folder}/peer{rate}.db"
    own = (
        f"told={told}",
        f"calls={calls}",
        f"hydra.sweep.dir={folder}/peer{rate}",
        "hydra.sweeper.study_name=calls",
        storage,
    )
    variables = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    started = time.perf_counter()
    ran = subprocess.run(
        [python, SCRIPT, "-m", *sweep, *jobs, *own, f"hydra.sweeper.max_failure_rate={rate}"],
        capture_output=True,
        text=True,
        env=variables,
        cwd=folder,
    )
    wall = time.perf_counter() - started
    if not calls.exists():
        print(f"{name}: skipped, it does not run here ({ran.stderr.strip().splitlines()[-1:]})")
        return None
    found = Ran(wall, calls_of(calls))
    states = study_states(python, f"sqlite:///{folder}/peer{rate}.db")
    ending = "it went on" if ran.returncode == 0 else f"the sweep ended, exit {ran.returncode}"
    told_of = re.findall(r"max_failure_rate=\S+|Failed experiment: .*", ran.stdout)
    found.say(name, states.count("COMPLETE"), f"{states.count('FAIL')} FAIL; {ending} ({'; '.join(told_of)})")
    return found


def study_states(python: Path, url: str) -> list[str]:
    """By the peer's own Optuna."""
    script = (
        f"import optuna\nfor t in optuna.load_study(study_name='calls', storage={url!r}).trials: print(t.state.name)"
    )
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.split()


def main() -> int:
    seconds = uneven()
    print(f"{CALLS} calls of {min(seconds):.1f} to {max(seconds):.1f} s, {sum(seconds):.1f} s; call {RAISES} raises")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        python = environment(folder)
        own, completed = ours(folder, seconds)
        peers = [None if python is None else peer(python, folder, seconds, rate) for rate in (0, 1)]
    if peers[1] is not None and len(peers[1].calls) == CALLS:
        spans, walls = peers[1].span_s / own.span_s, peers[1].wall_s / own.wall_s
        print(f"peer : ours, where both make all calls: {spans:.2f} (imports and all: {walls:.2f})")
    return int(completed != CALLS - 1)


if __name__ == "__main__":
    sys.exit(main())
