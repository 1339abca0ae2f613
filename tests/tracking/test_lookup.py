import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.store import TrackingStore

from .conftest import Open


def make(store: TrackingStore, *names: str) -> list[str]:
    trackers = [store.start_run(name, {"data": "calc"}) for name in names]
    for tracker in trackers:
        tracker.finish("FINISHED")
    return [tracker.run_id for tracker in trackers]


def test_a_run_is_found_by_id_prefix_and_name(store: TrackingStore):
    one, _ = make(store, "resnet18-calc-s0", "it's 100 % o'clock")
    assert [store.find_run(reference).id for reference in (one, one[:12], "resnet18-calc-s0")] == [one] * 3
    assert store.find_run("it's 100 % o'clock").name == "it's 100 % o'clock"
    found = store.find_run(one)
    assert (found.status, found.tags["data"], found.folder) == ("FINISHED", "calc", store.folder / "runs" / one)


def test_several_of_a_name_are_listed(store: TrackingStore):
    ids = make(store, "again", "again")
    with pytest.raises(MammoscopeError, match="run again: fits 2 runs; allowed: one of") as error:
        store.find_run("again")
    assert all(run_id in str(error.value) for run_id in ids)


@pytest.mark.parametrize("reference", ["nobody", "", "zzz", "' OR 1=1 --", 'a\' and "b"', "%"])
def test_none_lists_the_latest(store: TrackingStore, reference: str):
    (one,) = make(store, "somebody")
    with pytest.raises(
        MammoscopeError, match="there is none; allowed: an id, a unique prefix of one, or a name"
    ) as error:
        store.find_run(reference)
    assert one in str(error.value)


def test_an_empty_experiment_says_so(store: TrackingStore):
    with pytest.raises(MammoscopeError, match="the experiment has no runs yet"):
        store.find_run("anything")


def test_another_experiments_run_is_found_where_this_one_has_none(embedded: Open):
    (theirs,) = make(embedded("theirs"), "shared name")
    ours = embedded("ours")
    assert ours.find_run("shared name").id == ours.find_run(theirs[:12]).id == theirs
    (mine,) = make(ours, "shared name")
    assert ours.find_run("shared name").id == mine
