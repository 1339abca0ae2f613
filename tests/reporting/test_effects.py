"""Effects of a designed experiment as tables, Markdown and figure, and what a search says of them at its end."""

import io
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from mammoscope.jobs.effects import say_effects
from mammoscope.metrics.factorial import FactorialAnalysis, analyse_factorial
from mammoscope.metrics.factorial_design import Observation
from mammoscope.reporting.console import console
from mammoscope.reporting.effects import (
    MEANING,
    decimals_of,
    effects_markdown,
    facts,
    interaction_table,
    main_table,
)
from mammoscope.reporting.figures_effects import effects_figure
from mammoscope.search.plan import Objective
from mammoscope.search.space import Choice, Whole
from mammoscope.search.trials import Result
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Direction

METRIC = "validation/patient/auc"
FACTORS = {
    "data": ("mass", "calc"),
    "image": ("roi", "full"),
    "model": ("resnet18", "efficientnet_lite0"),
    "resolution": ("0.5", "1"),
    "view": ("cc", "mlo", "both"),
}


def observed(factors: dict[str, tuple[str, ...]], *, scale: float = 1.0, mean: float = 0.8) -> list[Observation]:
    """The first factor's last level is worse, the last factor's last level better; of each level three seeds."""
    rng = np.random.default_rng(0)
    first, last = next(iter(factors)), list(factors)[-1]
    return [
        Observation(
            levels=dict(zip(factors, levels, strict=True)),
            value=mean
            + scale * (0.01 * (levels[-1] == factors[last][-1]) - 0.05 * (levels[0] == factors[first][-1]))
            + scale * rng.normal(0, 0.01),
            block=str(seed),
        )
        for levels in product(*factors.values())
        for seed in range(3)
    ]


@pytest.fixture(scope="module")
def analysis() -> FactorialAnalysis:
    return analyse_factorial(FACTORS, observed(FACTORS))


def printed(table, width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width)
    out.print(table)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def cut_off(figure: Figure) -> list[str]:
    """Texts that stick out of the figure once it is drawn."""
    figure.canvas.draw()
    inside = figure.bbox.padded(-4)
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    return [
        said
        for said, box in boxes
        if not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
    ]


def test_main_effects_fit_eighty_columns_and_say_every_number(analysis):
    lines = printed(main_table(analysis, METRIC), 80)
    table = lines[: lines.index(next(line for line in lines if line.startswith("effect:")))]
    assert table[0] == f"Main effects on {METRIC}"
    assert max(map(len, table)) <= 80
    for effect in analysis.effects:
        (row,) = (line.split() for line in table if line.startswith(f"- {effect.levels[0]} "))
        assert row[2:] == [
            str(effect.n),
            f"{effect.mean:.4f}",
            f"{effect.value:+.4f}",
            f"({effect.low:+.4f}",
            "to",
            f"{effect.high:+.4f})",
        ]
    (row,) = (line.split() for line in table if line.startswith("data"))
    assert row == ["data", "<0.001", f"{analysis.term('data').share:.2f}"]
    named = [line.split()[0] for line in table[3:] if not line.startswith("-")]
    assert named[:2] == ["data", "view"]  # what moves the mean most comes first
    assert set(named) == set(FACTORS)


def test_interactions_come_by_size_and_no_more_than_asked_for(analysis):
    lines = printed(interaction_table(analysis, METRIC, most=5), 80)
    table = lines[3 : lines.index(next(line for line in lines if line.startswith("and ")))]
    assert len(table) == 5
    numbers = [abs(float(line.split("(")[0].split()[-1])) for line in table]
    assert numbers == sorted(numbers, reverse=True)
    assert max(numbers) == pytest.approx(max(abs(effect.value) for effect in analysis.interactions), abs=1e-4)
    shown = 6 + 4 * 6  # of two times two levels one of four, of two times three all six
    assert f"and {shown - 5} that are smaller" in lines


def test_an_experiment_of_one_factor_has_no_table_of_interactions():
    one = {"view": FACTORS["view"]}
    found = analyse_factorial(one, observed(one))
    assert interaction_table(found, METRIC) is None
    assert "## Interactions" not in effects_markdown(found, name="x", metric=METRIC, direction=Direction.maximize)
    assert cut_off(effects_figure(found, metric=METRIC, direction=Direction.maximize)) == []


def test_the_markdown_has_every_effect_and_every_term(analysis):
    text = effects_markdown(analysis, name="factorial-1", metric=METRIC, direction=Direction.minimize)
    assert text.startswith(
        "# What mattered in factorial-1\n\nvalidation/patient/auc: lower is better. 144 trainings of 48"
    )
    for said in (MEANING, RESEARCH_USE_ONLY, "| blocks (seeds) | 2 |", "of it lack of fit", "doi:10.1037/1082-989X"):
        assert said in text
    lines = text.splitlines()
    for term in analysis.terms:
        assert any(line.startswith(f"| {' x '.join(term.factors)} | {term.df} |") for line in lines)
    tables = text.split("## ")[1:]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1
    rest, lack, pure = (float(line.split("|")[3]) for line in lines if line.startswith(("| rest", "| of it")))
    assert rest == pytest.approx(lack + pure, rel=1e-3)


def test_an_option_is_text_and_no_markup():
    awkward = {"model": ("timm/[bold]|x", "$y$")}
    found = analyse_factorial(awkward, observed(awkward))
    assert any("- timm/[bold]|x" in line for line in printed(main_table(found, METRIC), 80))
    text = effects_markdown(found, name="x", metric=METRIC, direction=Direction.maximize)
    assert "| - timm/[bold]/x |" in text
    assert cut_off(effects_figure(found, metric=METRIC, direction=Direction.maximize)) == []


def test_what_was_not_estimated_is_said():
    observations = [
        one
        for one in observed(FACTORS)
        if one.levels["data"] == "mass" or (one.levels["view"] != "mlo" and one.levels["model"] == "resnet18")
    ]
    said = facts(analyse_factorial(FACTORS | {"mix": ("on", "off")}, [_with(one, "mix", "on") for one in observations]))
    assert "Left out, without a training: mix=off." in said
    assert any("data x view (without a training: calc with mlo)" in line for line in said)
    assert any("data x model (without a training: calc with efficientnet_lite0)" in line for line in said)


def _with(observation: Observation, factor: str, level: str) -> Observation:
    return replace(observation, levels={**observation.levels, factor: level})


def test_three_factors_together_are_said(analysis):
    odd = {"data": "mass", "image": "roi", "model": "resnet18"}
    observations = [
        replace(one, value=one.value + 0.1 * all(one.levels[key] == level for key, level in odd.items()))
        for one in observed(FACTORS)
    ]
    assert any("lack of fit, p <0.001" in line for line in facts(analyse_factorial(FACTORS, observations)))
    assert not any("lack of fit" in line for line in facts(analysis))


@pytest.mark.parametrize(("scale", "mean", "digits"), [(1, 0.8, 4), (10000, 5000, 0), (100, 30, 2), (1e-9, 0, 6)])
def test_numbers_have_as_many_digits_as_their_intervals_bear_and_the_figure_holds_them(scale, mean, digits):
    found = analyse_factorial(FACTORS, observed(FACTORS, scale=scale, mean=mean))
    assert decimals_of(found) == digits
    assert cut_off(effects_figure(found, metric="cost/training_s", direction=Direction.minimize)) == []


def test_the_figure_shows_every_level_with_its_interval(analysis):
    figure = effects_figure(analysis, metric=METRIC, direction=Direction.maximize)
    assert cut_off(figure) == []
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:7] == ["data", "mass", "calc", "view", "cc", "mlo", "both"]
    spans = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert set(spans) >= {(effect.low, effect.high) for effect in analysis.effects}
    assert all(axes.get_xlim()[0] < low and high < axes.get_xlim()[1] for low, high in spans)
    said = [text.get_text() for text in figure.findobj(Text)]
    assert any("higher is better" in text for text in said)
    assert any(RESEARCH_USE_ONLY in text for text in said)
    assert {f"mean {effect.mean:.4f}" for effect in analysis.effects} <= set(said)


def test_names_of_any_length_leave_room_for_the_intervals():
    long = {f"model.{'very_' * 9}long": ("W" * 70, "x"), "b": ("y", "z" * 70)}
    figure = effects_figure(
        analyse_factorial(long, observed(long)), metric=f"validation/{'w' * 80}", direction=Direction.maximize
    )
    assert cut_off(figure) == []
    (axes,) = figure.axes
    assert axes.bbox.width > 300
    figure.canvas.draw()
    labels = [label.get_window_extent().x1 for label in axes.get_yticklabels()]
    assert max(labels) < axes.bbox.x0


class Kept:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.figures: dict[str, Figure] = {}

    def text(self, text: str, path: str) -> None:
        self.texts[path] = text

    def figure(self, figure: Figure, path: str) -> None:
        self.figures[path] = figure


def searched(observations: list[Observation], *, seeds: int = 3) -> SimpleNamespace:
    """A search with a trial a combination, of which the last one failed."""
    space = {key: Choice(options) for key, options in FACTORS.items()} | {"source": Choice(("phantom",))}
    results = [
        Result(
            number=number,
            state="COMPLETE",
            values=(float(np.mean([one.value for one in each])),),
            params={**each[0].levels, "source": "phantom"},
            attrs={"each": " ".join(repr(one.value) for one in each)} if seeds > 1 else {},
            is_feasible=True,
            reports={},
            seconds=1.0,
        )
        for number, each in enumerate(observations[start : start + seeds] for start in range(0, len(observations), 3))
    ]
    results[-1] = replace(results[-1], state="FAIL", values=(), attrs={})
    plan = SimpleNamespace(name="toy", space=space, objectives=(Objective(METRIC, Direction.maximize),))
    return SimpleNamespace(plan=plan, results=lambda: results)


def said_of(search: SimpleNamespace, option: str = "full_factorial") -> tuple[str, Kept]:
    kept = Kept()
    with console.capture() as capture:
        say_effects(search, SimpleNamespace(search=SimpleNamespace(option=option)), SimpleNamespace(tracker=kept))
    return capture.get(), kept


def test_a_search_says_its_effects_and_keeps_them():
    said, kept = said_of(searched(observed(FACTORS)))
    assert "Main effects on validation/patient/auc" in said
    assert "Interactions on validation/patient/auc" in said
    assert said.rstrip().endswith(MEANING)
    assert "141 trainings of 47 of 48 combinations" in said
    assert "(3 blocks)" in said
    assert list(kept.texts) == ["effects.md"]
    assert list(kept.figures) == ["figures/effects.png"]
    expected = analyse_factorial(FACTORS, observed(FACTORS)[:-3])
    assert printed(main_table(expected, METRIC), 80)[:17] == [line.rstrip() for line in said.splitlines()[:17]]


def test_a_search_of_one_seed_goes_by_what_more_factors_do_together():
    said, _ = said_of(searched(observed(FACTORS), seeds=1))
    assert "47 trainings of 47 of 48 combinations" in said
    assert "blocks" not in said


def test_what_is_varied_beside_the_factors_is_said():
    search = searched(observed(FACTORS))
    search.plan.space["epochs"] = Whole(1, 3)
    assert "no choice(...), and part of what differs: epochs." in said_of(search)[0]


def test_what_cannot_be_analysed_is_one_line_and_no_end_of_the_search():
    search = searched(observed(FACTORS)[:6])
    said, kept = said_of(search)
    assert said.startswith("effects: ")
    assert "missing: " in said
    assert len(said.splitlines()) == 1
    assert not kept.texts


def test_other_searches_say_nothing():
    said, kept = said_of(searched(observed(FACTORS)), option="quick")
    assert (said, kept.texts, kept.figures) == ("", {}, {})
