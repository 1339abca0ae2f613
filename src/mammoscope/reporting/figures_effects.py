"""Main effects of a designed experiment, each with its interval, on one axis."""

from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from mammoscope.metrics.factorial import Effect, FactorialAnalysis
from mammoscope.reporting.effects import MEANING, better, by_weight, decimals_of, p_text
from mammoscope.reporting.figures_style import (
    BODY_PT,
    DPI,
    FAINT,
    INK,
    MODEL_COLOUR,
    MUTED,
    SMALL_PT,
    blank_figure,
    place_axes,
    quiet_axes,
    write_footer,
    write_heading,
)
from mammoscope.vocabulary import Direction

WIDTH_PX, ROW_PX = 1200, 46
EDGE_PX, TOP_PX, BOTTOM_PX, GAP_PX = 40, 130, 220, 24
LONGEST = 28  # characters of a name
FOOTER_CHARACTERS = 98

_Row = tuple[float, str, Effect | None]  # place from the top, name, and None: of a factor


def effects_figure(analysis: FactorialAnalysis, *, metric: str, direction: Direction) -> Figure:
    """A row a level, below its factor's; the factor that moves the mean most is on top. Means stand at the right."""
    rows = _rows(analysis)
    tall = (rows[-1][0] + 1) * ROW_PX
    figure = blank_figure(WIDTH_PX, round(TOP_PX + tall + BOTTOM_PX))
    n = f"{analysis.n} trainings of {analysis.combinations} of {analysis.planned} combinations"
    write_heading(figure, f"Main effects on {_short(metric)}", f"{n}; {better(direction)}", left_px=EDGE_PX)
    write_footer(figure, fill(MEANING, FOOTER_CHARACTERS), left_px=EDGE_PX)
    axes = place_axes(figure, left_px=EDGE_PX, bottom_px=BOTTOM_PX, width_px=WIDTH_PX - 2 * EDGE_PX, height_px=tall)
    axes.set_ylim(rows[-1][0] + 0.5, -0.5)
    _name_rows(axes, rows)
    _make_room(axes, _draw_rows(axes, analysis, rows))
    digits = decimals_of(analysis)
    axes.set_xlabel(
        f"effect (95 %): the level's mean less that of all, {analysis.mean:.{digits}f}",
        size=BODY_PT,
        color=INK,
        labelpad=8,
    )
    return figure


def _rows(analysis: FactorialAnalysis) -> list[_Row]:
    rows: list[_Row] = []
    place = 0.0
    for factor, effects in by_weight(analysis).items():
        rows.append((place, _short(factor), None))
        rows += [(place + number, _short(effect.levels[0]), effect) for number, effect in enumerate(effects, 1)]
        place += len(effects) + 1.4
    return rows


def _name_rows(axes: Axes, rows: list[_Row]) -> None:
    quiet_axes(axes)
    axes.set_yticks([place for place, _, _ in rows], [name for _, name, _ in rows])
    axes.tick_params(axis="y", length=0, pad=10)
    axes.spines["left"].set_visible(False)
    for label, (_, _, effect) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if effect is None else "normal")
        label.set_parse_math(False)  # an option's text is no formula


def _draw_rows(axes: Axes, analysis: FactorialAnalysis, rows: list[_Row]) -> list[Text]:
    """Returns the means, which stand beside the axes."""
    digits = decimals_of(analysis)
    axes.axvline(0, color=FAINT, linewidth=1, zorder=0)
    factors = iter(by_weight(analysis))
    means = []
    for place, _, effect in rows:
        if effect is None:
            term = analysis.term(next(factors))
            _say(axes, 0, place, f"{p_text(term.p)}, partial omega squared {term.share:.2f}")
            continue
        axes.plot([effect.low, effect.high], [place, place], color=MODEL_COLOUR, linewidth=2, solid_capstyle="butt")
        axes.plot(effect.value, place, "o", color=MODEL_COLOUR, markersize=6)
        means.append(_say(axes, 1, place, f"mean {effect.mean:.{digits}f}", GAP_PX))
    axes.margins(x=0.06)
    return means


def _say(axes: Axes, across: float, place: float, text: str, gap_px: float = 0) -> Text:
    """across: as a fraction of the axes."""
    return axes.annotate(
        text,
        (across, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(gap_px * 72 / DPI, 0),
        textcoords="offset points",
        va="center_baseline",
        size=SMALL_PT,
        color=MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # the line of zero passes behind
    )


def _make_room(axes: Axes, means: list[Text]) -> None:
    """Names and means are as wide as they are, and the axes lie between them."""
    _, bottom, _, height = axes.get_position().bounds
    names, numbers = (
        max(text.get_window_extent().width for text in texts) for texts in (axes.get_yticklabels(), means)
    )
    left, right = EDGE_PX + names + GAP_PX, WIDTH_PX - EDGE_PX - numbers - GAP_PX
    axes.set_position((left / WIDTH_PX, bottom, (right - left) / WIDTH_PX, height))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
