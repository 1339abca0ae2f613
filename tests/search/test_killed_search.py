"""Searches whose processes are killed by SIGKILL at random moments come to what they would have come to."""

import random
import signal
from pathlib import Path

import pytest
from processes import ended, searched, started, told
from toy import plan_of

from mammoscope.vocabulary import PrunerName, SamplerName

TRIALS = 24
KILLS = 20
HISTORY_FREE = (SamplerName.random, SamplerName.qmc, SamplerName.grid)


def pruner_for(sampler: SamplerName) -> PrunerName:
    return PrunerName.none if sampler is SamplerName.nsga2 else PrunerName.median


@pytest.mark.slow
@pytest.mark.parametrize("sampler", list(SamplerName))
def test_twenty_kills_change_nothing(sampler: SamplerName, tmp_path: Path):
    plan = plan_of(sampler, TRIALS, pruner=pruner_for(sampler))
    whole, torn = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/torn.db"
    assert ended(started(searched, plan, whole)) == 0
    moments = random.Random(3)
    kills = 0
    while kills < KILLS:
        after_s = moments.uniform(0.05, 0.6)
        status = ended(started(searched, plan, torn, after_s))
        if status != -signal.SIGKILL:
            break
        kills += 1
    assert ended(started(searched, plan, torn)) == 0
    assert told(torn, plan) == told(whole, plan)
    assert {row[1] for row in told(whole, plan)} <= {"COMPLETE", "PRUNED"}
    assert kills >= 5, "the search ended before it was killed often"


@pytest.mark.parametrize("sampler", [SamplerName.tpe, SamplerName.qmc])
def test_a_kill_changes_nothing(sampler: SamplerName, tmp_path: Path):
    """As above, in seconds: three processes in turn, of which two are killed."""
    plan = plan_of(sampler, 8, pruner=pruner_for(sampler), startup_trials=3)
    whole, torn = f"sqlite:///{tmp_path}/whole.db", f"sqlite:///{tmp_path}/torn.db"
    assert ended(started(searched, plan, whole)) == 0
    for after_s in (0.25, 0.4):
        ended(started(searched, plan, torn, after_s))
    assert ended(started(searched, plan, torn)) == 0
    assert told(torn, plan) == told(whole, plan)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [SamplerName.tpe, *HISTORY_FREE])
def test_four_processes_that_are_killed_give_the_planned_results_once(sampler: SamplerName, tmp_path: Path):
    plan = plan_of(sampler, TRIALS, startup_trials=3)
    url, alone = f"sqlite:///{tmp_path}/four.db", f"sqlite:///{tmp_path}/alone.db"
    assert ended(started(searched, plan, alone)) == 0
    moments = random.Random(5)
    for _ in range(KILLS // 4):
        children = [started(searched, plan, url, moments.uniform(0.05, 0.8)) for _ in range(4)]
        for child in children:
            ended(child)
    children = [started(searched, plan, url) for _ in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    rows = told(url, plan)
    assert [row[:2] for row in rows] == [(number, "COMPLETE") for number in range(TRIALS)]
    params = [tuple(sorted(row[3].items())) for row in rows]  # type: ignore[attr-defined]
    assert len(set(params)) == TRIALS
    if sampler in HISTORY_FREE:
        assert rows == told(alone, plan)
