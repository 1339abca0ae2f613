"""What a search's bookkeeping costs, and whether processes that share it lose or repeat a trial.

    python benchmarks/searches_store.py [--only bookkeeping|together]

bookkeeping  claim, four reports and tell by the search's own code with 1,000 finished trials in SQLite, as a share of a
             trial of one minute.
together     four processes do 400 trials that cost nothing in one SQLite file, and in one PostgreSQL: none is lost or
             done twice.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState, create_trial

from mammoscope.search.plan import Objective, Plan
from mammoscope.search.search import Search
from mammoscope.search.space import Choice, Range, Real, Whole
from mammoscope.search.storage import open_storage
from mammoscope.search.trials import OVERRIDES, Claimed
from mammoscope.vocabulary import Direction, PrunerName, SamplerName

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # what tests have for it, too

from tests.search import postgresql

SPACE: dict[str, Range] = {
    "lr": Real(1e-5, 1e-1, log=True),
    "width": Whole(1, 64),
    "drop": Real(0.0, 0.5),
    "backbone": Choice(("resnet18", "resnet50", "lite0")),
}
STEPS, FINISHED, TIMED = 4, 1000, 20
PROCESSES, TOGETHER = 4, 400
SHARE = 0.01


def plan_of(sampler: SamplerName, trials: int, pruner: PrunerName, name: str) -> Plan:
    return Plan(
        name=name,
        trials=trials,
        objectives=(Objective("loss", Direction.minimize),),
        space=SPACE,
        sampler=sampler,
        sampler_seed=7,
        pruner=pruner,
        startup_trials=5,
        steps=STEPS,
        warmup_steps=1,
        max_failure_fraction=0.5,
        parse=lambda key, text: Choice((text,)),
        base={},
        settings={"space": str(SPACE)},
    )


def loss(claimed: Claimed) -> float:
    numbers = [float(len(value)) if isinstance(value, str) else float(value) for value in claimed.params.values()]
    return sum(math.log1p(abs(number)) ** 2 for number in numbers)


def finished(rng: random.Random) -> FrozenTrial:
    params = {
        "lr": 10 ** rng.uniform(-5, -1),
        "width": rng.randint(1, 64),
        "drop": rng.uniform(0, 0.5),
        "backbone": rng.choice(("resnet18", "resnet50", "lite0")),
    }
    value = rng.random()
    return create_trial(
        state=TrialState.COMPLETE,
        params=params,
        distributions={key: range_.distribution() for key, range_ in SPACE.items()},
        user_attrs={OVERRIDES: json.dumps({key: str(one) for key, one in params.items()})},
        intermediate_values={step: value + 1 / (step + 1) for step in range(STEPS)},
        value=value,
    )


def bookkeeping(folder: Path) -> bool:
    met = True
    for sampler in (SamplerName.tpe, SamplerName.random):
        plan = plan_of(sampler, FINISHED + TIMED, PrunerName.median, str(sampler))
        search = Search(plan, open_storage(f"sqlite:///{folder}/{sampler}.db"), {})
        rng = random.Random(0)
        search.study.add_trials([finished(rng) for _ in range(FINISHED)])
        steps = [one_trial(search) for _ in range(TIMED)]
        search.close()
        claim, report, tell = (statistics.median(part) for part in zip(*steps, strict=True))
        seconds = statistics.median(sum(parts) for parts in steps)
        print(
            f"bookkeeping: {sampler}, {FINISHED} finished: {seconds:.3f} s a trial (claim {claim:.3f}, {STEPS} reports "
            f"{report:.3f}, tell {tell:.3f}); {100 * seconds / 60:.2f} % of a minute (target: below {SHARE:.0%})"
        )
        met &= seconds < SHARE * 60
    return met


def one_trial(search: Search) -> tuple[float, float, float]:
    """Seconds to claim, to report and to tell."""
    started = time.perf_counter()
    claimed = search.claim()
    assert claimed is not None
    claimed_at = time.perf_counter()
    for step in range(STEPS):
        search.report(claimed, loss(claimed) + 1 / (step + 1), step)
    reported_at = time.perf_counter()
    search.tell(claimed, [loss(claimed)])
    return claimed_at - started, reported_at - claimed_at, time.perf_counter() - reported_at


def together(folder: Path) -> bool:
    places = {"SQLite": f"sqlite:///{folder}/together.db"}
    met = four_processes("SQLite", places["SQLite"], folder)
    if not postgresql.BINARIES:
        print("together: PostgreSQL: skipped, it is not installed")
        return met
    place = folder / "postgresql"
    place.mkdir()
    with postgresql.server(place) as url:
        return four_processes("PostgreSQL", url, folder) and met


def four_processes(where: str, url: str, folder: Path) -> bool:
    """Forked, since each import of Optuna takes seconds."""
    plan = plan_of(SamplerName.random, TOGETHER, PrunerName.none, "together")
    files = [folder / f"{where}-{place}.json" for place in range(PROCESSES)]
    started = time.perf_counter()
    pids = [forked(lambda file=file: file.write_text(json.dumps(worked(plan, url)))) for file in files]
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    seconds = time.perf_counter() - started
    numbers = [number for file in files if file.exists() for number in json.loads(file.read_text())]
    search = Search(plan, open_storage(url), {})
    results = [result for result in search.results() if result.state == "COMPLETE"]
    search.close()
    twice = len(numbers) - len(set(numbers))
    alike = len(results) - len({frozenset(result.params.items()) for result in results})
    print(
        f"together: {where}, {PROCESSES} processes: {len(results)} results of {TOGETHER} (target: all), {twice} "
        f"numbers twice, {alike} points twice (target: 0), {failed} processes failed; {seconds:.1f} s, "
        f"{1e3 * seconds / TOGETHER:.0f} ms a trial"
    )
    return (len(results), len(numbers), twice, alike, failed) == (TOGETHER, TOGETHER, 0, 0, 0)


def worked(plan: Plan, url: str) -> list[int]:
    search, numbers = Search(plan, open_storage(url), {}), []
    while (claimed := search.claim()) is not None:
        search.tell(claimed, [loss(claimed)])
        numbers.append(claimed.number)
    return numbers


def forked(job: Callable[[], object]) -> int:
    """The pid of a child that does the job and nothing else."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            job()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("bookkeeping", "together"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        parts = {"bookkeeping": bookkeeping, "together": together}
        met = [part(Path(place)) for name, part in parts.items() if told.only in (None, name)]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
