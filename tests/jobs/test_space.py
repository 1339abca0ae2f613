"""Hydra's sweep language as a search understands it, and what it refuses."""

import re

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.jobs.space import asked_for, build_parser
from mammoscope.search.space import Choice, Range, Real, Whole

PARSER = build_parser(None)


def drawn(*arguments: str, space: dict[str, str] | None = None) -> dict[str, Range]:
    return asked_for(arguments, space or {}, PARSER).space


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("model=choice(resnet50,convnext_tiny)", Choice(("resnet50", "convnext_tiny"))),
        ("model=resnet50,convnext_tiny", Choice(("resnet50", "convnext_tiny"))),
        ("model.scales=choice([1],[1,0.6])", Choice(("[1]", "[1,0.6]"))),
        ("model=choice('a,b',c)", Choice(("a\\,b", "c"))),
        ("model=shuffle(c,a,b)", Choice(("a", "b", "c"))),
        ("optimizer.lr=tag(log,interval(1e-5,1e-2))", Real(1e-5, 1e-2, log=True)),
        ("optimizer.lr=interval(0,1)", Real(0.0, 1.0)),
        ("trainer.epochs=interval(1,10)", Whole(1, 10)),
        ("trainer.epochs=tag(log,interval(1,100))", Whole(1, 100, log=True)),
        ("mine=int(interval(1,10))", Whole(1, 10)),
        ("trainer.epochs=range(2,11,3)", Whole(2, 8, 3)),
        ("trainer.epochs=range(10,1,-3)", Whole(4, 10, 3)),
        ("trainer.clip_norm=interval(1,2)", Real(1.0, 2.0)),
    ],
)
def test_what_is_drawn(argument: str, expected: Range):
    (found,) = drawn(argument).values()
    assert found == expected


def test_a_range_of_halves_ends_before_its_stop():
    (found,) = drawn("model.drop_rate=range(0,0.5,0.1)").values()
    assert isinstance(found, Real)
    assert found.points() == pytest.approx((0.0, 0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("seed=1,2", "seed is not a trial's to vary; for several seeds a trial: search.seeds=3"),
        ("search.trials=choice(1,2)", "search.trials is not a trial's to vary"),
        ("tracking.experiment=a,b", "tracking.experiment is not a trial's to vary"),
        ("source.csv=/films/a.csv,/films/b.csv", "source.csv is not a trial's to vary"),
        ("split.allow=a.csv,b.csv", "split.allow is not a trial's to vary"),
        ("model=interval(1,2)", "model is one of several options; allowed: choice(...)"),
        ("trainer.precision=interval(0,1)", "trainer.precision is one of several options"),
        ('trainer.batch_size=choice(1,"1")', "1 stands there twice; allowed: each option once"),
        ("optimizer.lr=tag(log,interval(0,1))", "0 and below have no logarithm"),
        ("optimizer.lr=tag(log,choice(0,1))", "a choice has no logarithm"),
        ("optimizer.lr=tag(log,range(1,9))", "even steps have no logarithm"),
        ("optimizer.lr=tag(wide,interval(0,1))", "tag wide says nothing here; allowed: log"),
        ("image.context=interval(3,2)", "is empty; allowed: an end above its start"),
        ("trainer.epochs=interval(1.5,3)", "trainer.epochs takes whole numbers"),
        ("trainer.epochs=range(3,3)", "holds no number"),
        ("+mine=1,2", "there is no such key to draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_plain_words(argument: str, words: str):
    with pytest.raises(MammoscopeError, match=re.escape(words)) as refusal:
        drawn(argument)
    assert argument.partition("=")[0].lstrip("+") in str(refusal.value)


def test_the_command_line_wins_over_the_space_of_the_config():
    space = {"optimizer.lr": "interval(0,1)", "model.drop_rate": "interval(0,0.5)", "trainer.epochs": "3"}
    asked = asked_for(["optimizer.lr=0.1", "model.drop_rate=choice(0,0.2)", "search.trials=4"], space, PARSER)
    assert asked.space == {"model.drop_rate": Choice(("0", "0.2"))}
    assert asked.fixed == {"optimizer.lr": "0.1", "trainer.epochs": "3"}
    assert asked.search == {"search.trials": "4"}
