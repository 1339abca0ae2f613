"""Claims, results, failures and what is drawn, with an objective that costs nothing."""

import json
from pathlib import Path

import pytest
from processes import ended, searched, started
from toy import FINITE, plan_of, work

from mammoscope.errors import MammoscopeError
from mammoscope.search.drawing import draw_next
from mammoscope.search.owners import Owner, Pulse, Silence, is_gone, this_process
from mammoscope.search.search import Search
from mammoscope.search.space import Choice, Draw, Real, Whole, shuffled, size
from mammoscope.search.storage import open_storage
from mammoscope.search.trials import OWNER, Lost
from mammoscope.vocabulary import PrunerName, SamplerName


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/searches.db"


def opened(url: str, sampler: SamplerName = SamplerName.random, trials: int = 4, **changes: object) -> Search:
    return Search(plan_of(sampler, trials, **changes), open_storage(url), {})


@pytest.mark.parametrize("pruner", list(PrunerName))
def test_every_pruner_prunes_or_lets_all_end(url: str, pruner: PrunerName):
    search = opened(url, trials=14, pruner=pruner, startup_trials=2)
    assert work(search) == 14
    states = {result.state for result in search.results()}
    assert states == {"COMPLETE"} if pruner is PrunerName.none else states <= {"COMPLETE", "PRUNED"}
    if pruner in (PrunerName.median, PrunerName.successive_halving, PrunerName.hyperband):
        assert "PRUNED" in states


def test_a_finite_space_is_gone_through_once_and_then_exhausted(url: str):
    search = opened(url, SamplerName.tpe, trials=50, space=FINITE, startup_trials=5)
    assert size(FINITE) == 36
    assert work(search) == 36
    assert search.is_exhausted()
    assert len({tuple(result.params.items()) for result in search.results()}) == 36


def test_a_grid_has_each_point_once_in_an_order_of_its_seed():
    points = [tuple(point.values()) for point in shuffled(FINITE, 1)]
    assert len(set(points)) == len(points) == 36
    assert points != [tuple(point.values()) for point in shuffled(FINITE, 2)]
    assert points == [tuple(point.values()) for point in shuffled(FINITE, 1)]


def test_failures_are_recorded_and_too_many_end_the_search(url: str):
    search = opened(url, trials=10, max_failure_fraction=0.2)
    for number in range(3):
        claimed = search.claim()
        assert claimed is not None
        assert claimed.number == number
        search.tell_failed(claimed, "out of memory")
    assert search.claim() is None
    assert search.failures_end_it()
    assert [(result.state, result.attrs["reason"]) for result in search.results()] == [("FAIL", "out of memory")] * 3


def test_a_trial_whose_owner_died_keeps_its_place_number_and_parameters(url: str):
    search = opened(url)
    first = search.claim()
    assert first is not None
    assert ended(started(_claim_and_die, url)) == 3
    again = search.claim()
    assert again is not None
    assert (again.number, again.taken_over) == (1, True)
    assert first.number == 0, "the trial of the living owner stays its own"


def _claim_and_die(url: str) -> None:
    import os

    assert opened(url).claim() is not None
    os._exit(3)


def test_who_was_taken_for_dead_cannot_tell_a_result(url: str):
    search, other = opened(url), opened(url)
    claimed = search.claim()
    assert claimed is not None
    search.put_back(claimed)
    taken = other.claim()
    assert taken is not None
    assert taken.number == claimed.number
    for tell in (
        lambda: search.report(claimed, 1.0, 0),
        lambda: search.tell(claimed, [1.0]),
        lambda: search.tell_failed(claimed, "late"),
    ):
        with pytest.raises(Lost):
            tell()
    search.put_back(claimed)  # nor take the trial away
    other.tell(taken, [2.0])
    assert [result.values for result in other.results()] == [(2.0,)]


def test_owners_on_this_host_are_seen_and_others_are_heard():
    mine = this_process()
    assert is_gone(mine) is False
    assert is_gone(Owner(mine.hosts, mine.names, mine.pid, mine.ticks + 1, "")) is True  # the pid came again
    assert is_gone(Owner("another+host", mine.names, mine.pid, mine.ticks, "")) is None
    assert is_gone(Owner(mine.hosts, "pid:[1]", mine.pid, mine.ticks, "")) is None
    now = [0.0]
    silence = Silence(after_s=60, clock=lambda: now[0])
    assert not silence.is_silent(1, "a")
    now[0] = 61
    assert silence.is_silent(1, "a")
    assert not silence.is_silent(1, "b")
    assert not silence.is_silent(2, "a"), "it was not listened to before"


def test_a_silent_owner_elsewhere_loses_its_trial(url: str):
    now = [0.0]
    search = Search(
        plan_of(SamplerName.random, 2), open_storage(url), {}, silence=Silence(after_s=60, clock=lambda: now[0])
    )
    claimed = search.claim()
    assert claimed is not None
    mine = json.loads(this_process().as_text())
    elsewhere = json.dumps({**mine, "hosts": "elsewhere"})
    search.study._storage.set_trial_system_attr(claimed.id, OWNER, elsewhere)
    assert search.reap() == []
    now[0] = 59
    assert search.reap() == []
    now[0] = 61
    assert search.reap() == [0]


def test_a_pulse_beats_until_the_block_ends_and_survives_an_error():
    import time

    beats = []

    def beat() -> None:
        beats.append(1)
        raise OSError("the store is away")

    with Pulse(beat, 0.01):
        time.sleep(0.2)
    count = len(beats)
    time.sleep(0.05)
    assert count >= 2
    assert len(beats) == count


def test_constraints_make_the_winner(url: str):
    search = opened(url, trials=3)
    for value, over in ((1.0, 0.5), (2.0, -0.1), (3.0, 0.0)):
        claimed = search.claim()
        assert claimed is not None
        search.tell(claimed, [value], constraints={"cost<=1": over})
    assert [result.number for result in search.best(3)] == [1, 2]


def test_the_front_of_two_objectives(url: str):
    search = opened(url, SamplerName.nsga2, trials=4)
    for values in ((1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (4.0, 1.0)):
        claimed = search.claim()
        assert claimed is not None
        assert search.report(claimed, 1.0, 0) is False
        search.tell(claimed, values)
    assert [result.number for result in search.best(4)] == [0, 1, 3]


def test_a_configure_function_adds_settles_and_takes(url: str):
    def configure(draw: Draw) -> None:
        if draw["backbone"] == "lite0":
            draw("momentum", "interval(0.5,0.9)")
        draw.fix("epochs", draw["base.epochs"])
        draw.fix("flag", True)
        draw.take("width")

    def parse(key: str, text: str) -> Real:
        assert (key, text) == ("momentum", "interval(0.5,0.9)")
        return Real(0.5, 0.9)

    plan = plan_of(SamplerName.tpe, 12, configure=configure, parse=parse, base={"base.epochs": 7}, startup_trials=12)
    search = Search(plan, open_storage(url), {"fixed": "1"})
    work(search)
    for result in search.results():
        overrides = json.loads(result.attrs["overrides"])
        assert ("momentum" in overrides) == (result.params["backbone"] == "lite0")
        assert (overrides["epochs"], overrides["flag"]) == ("7", "true")
        assert "width" in result.params
        assert not {"width", "fixed"} & overrides.keys()
    assert {"lite0", "resnet18"} <= {result.params["backbone"] for result in search.results()}


def test_a_grid_refuses_what_it_cannot_know_beforehand():
    plan = plan_of(SamplerName.grid, 4, configure=lambda draw: draw("late", "choice(a,b)"))
    with pytest.raises(MammoscopeError, match=r"search.configure draws late, which is not in search.space"):
        draw_next(plan, {}, [])


def test_qmc_covers_the_space_evenly(url: str):
    plan = plan_of(SamplerName.qmc, 16, space={"x": Real(0, 1), "n": Whole(1, 4), "c": Choice(("a", "b"))})
    search = Search(plan, open_storage(url), {})
    work(search)
    results = search.results()
    assert sorted(int(float(result.params["x"]) * 16) for result in results) == list(range(16))
    assert [sum(result.params["c"] == option for result in results) for option in "ab"] == [8, 8]


def test_searched_twice_alike_from_the_same_seed(tmp_path: Path):
    urls = [f"sqlite:///{tmp_path}/{number}.db" for number in range(2)]
    plan = plan_of(SamplerName.tpe, 10, startup_trials=3)
    for url in urls:
        searched(plan, url)
    first, second = ([result.params for result in Search(plan, open_storage(url), {}).results()] for url in urls)
    assert first == second
