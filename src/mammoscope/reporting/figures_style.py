"""One look for all figures. Object-oriented matplotlib only: no pyplot, hence no state, no display, safe threads."""

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mammoscope.vocabulary import RESEARCH_USE_ONLY

DPI = 160

# Okabe and Ito's palette: told apart with every common colour blindness, and by lightness in print.
MODEL_COLOUR = "#0072B2"
POINT_COLOUR = "#D55E00"
INK = "#1A1A1A"
MUTED = "#5A5A5A"
FAINT = "#B8B8B8"

EN_DASH = "\N{EN DASH}"

HEADING_PT = 12.5
BODY_PT = 10.0
SMALL_PT = 8.5


def blank_figure(width_px: int, height_px: int) -> Figure:
    figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def place_axes(figure: Figure, *, left_px: float, bottom_px: float, width_px: float, height_px: float) -> Axes:
    """Axes at a fixed place, so that figures of one kind can be flicked through without jumping."""
    across, up = figure.get_size_inches() * figure.dpi
    return figure.add_axes((left_px / across, bottom_px / up, width_px / across, height_px / up))


def write_heading(figure: Figure, heading: str, facts: str, *, left_px: float) -> None:
    """Two lines at the top: what this is, and what it was computed from."""
    across, up = figure.get_size_inches() * figure.dpi
    figure.text(left_px / across, 1 - 30 / up, heading, size=HEADING_PT, weight="bold", color=INK, va="top")
    figure.text(left_px / across, 1 - 70 / up, facts, size=BODY_PT, color=MUTED, va="top")


def write_footer(figure: Figure, note: str = "", *, left_px: float) -> None:
    across, up = figure.get_size_inches() * figure.dpi
    text = f"{note}\n{RESEARCH_USE_ONLY}" if note else RESEARCH_USE_ONLY
    figure.text(left_px / across, 18 / up, text, size=SMALL_PT, color=MUTED, va="bottom", linespacing=1.45)


def quiet_axes(axes: Axes) -> None:
    """Two spines, outward ticks, readable sizes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=BODY_PT, length=4)
