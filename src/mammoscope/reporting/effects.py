"""What mattered in a search over every combination, as tables: for a terminal, and as Markdown for a file."""

from collections.abc import Iterable, Iterator, Sequence
from math import floor, log10
from statistics import median

from rich import box
from rich.table import Table
from rich.text import Text

from mammoscope.metrics.factorial import Effect, FactorialAnalysis, Term
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Direction

MOST_ROWS = 12  # of interactions on a terminal
MEANING = (
    "The 95 % intervals, each for itself, say how far repeating these trainings would move a number on these "
    "validation patients; they say nothing of other patients."
)
WHO_IS_SCORED = (
    "A factor that decides what is scored (kind, image, view) changes the scored cases too: its effect is that of both."
)
EFFECT_NOTE = "effect: the level's mean less the mean of all, combinations of the others alike."
SHARE_NOTE = "share: partial omega squared, of the variance that other effects leave. p and share: of all levels."
ONE_OF_FOUR = "Two factors of two levels each: one of four, the others are as large, two of them negative."
MAIN_COLUMNS = ("factor", "n", "mean", "effect (95 %)", "p", "share")
PAIR_COLUMNS = ("two levels", "n", "interaction (95 %)", "p", "share")
TERM_COLUMNS = ("term", "df", "sum of squares", "F", "p", "share")
UNFIT_P = 0.05

_Rows = list[tuple[str, ...]]


def main_table(analysis: FactorialAnalysis, metric: str) -> Table:
    """A row a level; the factor that moves the mean most comes first."""
    return _table(f"Main effects on {metric}", MAIN_COLUMNS, _main_rows(analysis), [EFFECT_NOTE, SHARE_NOTE])


def interaction_table(analysis: FactorialAnalysis, metric: str, most: int = MOST_ROWS) -> Table | None:
    """What two levels do together beyond what each does alone, the largest first; None where there are none."""
    rows = _pair_rows(analysis)
    if not rows:
        return None
    notes = [f"and {len(rows) - most} that are smaller"] if len(rows) > most else []
    return _table(f"Interactions on {metric}", PAIR_COLUMNS, rows[:most], [*notes, *_one_of_four(analysis)])


def effects_markdown(analysis: FactorialAnalysis, *, name: str, metric: str, direction: Direction) -> str:
    """All effects and the analysis of variance. name: of the search. With a line break at the end."""
    parts = [f"# What mattered in {name}", f"{metric}: {better(direction)}. {' '.join(facts(analysis))}"]
    parts += [f"{MEANING} {WHO_IS_SCORED}", "## Main effects", _markdown(MAIN_COLUMNS, _main_rows(analysis))]
    parts += [f"{EFFECT_NOTE} {SHARE_NOTE}"]
    if rows := _pair_rows(analysis):
        parts += ["## Interactions of two factors", _markdown(PAIR_COLUMNS, rows), *_one_of_four(analysis)]
    parts += ["## Analysis of variance", _markdown(TERM_COLUMNS, _term_rows(analysis))]
    parts += [
        "Sums of squares of type III (Montgomery, Design and Analysis of Experiments). Partial omega squared: Olejnik "
        "and Algina 2003, doi:10.1037/1082-989X.8.4.434; an estimate below 0 is given as 0.",
        RESEARCH_USE_ONLY,
    ]
    return "\n\n".join(parts) + "\n"


def better(direction: Direction) -> str:
    return "higher is better" if direction is Direction.maximize else "lower is better"


def facts(analysis: FactorialAnalysis) -> list[str]:
    """Sentences: what was analysed, and what of it could not be."""
    digits = decimals_of(analysis)
    found = [
        f"{analysis.n} trainings of {analysis.combinations} of {analysis.planned} combinations, mean "
        f"{analysis.mean:.{digits}f}; beside all effects they differ by a standard deviation of "
        f"{analysis.residual_sd:.{digits}f} ({analysis.residual_df} degrees of freedom)."
    ]
    if analysis.blocks:
        found.append(f"What trainings with the same seed have in common is taken out ({len(analysis.blocks)} blocks).")
    lack = analysis.lack_of_fit
    if lack is not None and lack.p < UNFIT_P:
        found.append(
            f"Three factors or more do something together, which is not shown (lack of fit, {p_text(lack.p)})."
        )
    for omitted in analysis.omitted:
        never = ", ".join(" with ".join(levels) for levels in omitted.never_seen)
        why = f"without a training: {never}" if never else "too few combinations"
        found.append(f"Not estimated, and taken as none: {' x '.join(omitted.factors)} ({why}).")
    if analysis.unseen:
        unseen = ", ".join(f"{factor}={level}" for factor, level in analysis.unseen)
        found.append(f"Left out, without a training: {unseen}.")
    return found


def by_weight(analysis: FactorialAnalysis) -> dict[str, list[Effect]]:
    """Main effects by factor, the factor with the largest one first."""
    of = {name: [effect for effect in analysis.effects if effect.factors == (name,)] for name in analysis.factors}
    return dict(sorted(of.items(), key=lambda item: -max(abs(effect.value) for effect in item[1])))


def decimals_of(analysis: FactorialAnalysis) -> int:
    """So many that a usual interval's half has two digits."""
    half = median((effect.high - effect.low) / 2 for effect in analysis.effects)
    return min(6, max(0, 1 - floor(log10(half))))


def _main_rows(analysis: FactorialAnalysis) -> _Rows:
    """A factor's row, and a row for each of its levels."""
    digits = decimals_of(analysis)
    rows: _Rows = []
    for factor, effects in by_weight(analysis).items():
        rows.append((factor, "", "", "", *_tested(analysis.term(factor))))
        for effect in effects:
            mean = f"{effect.mean:.{digits}f}"
            rows.append((f"- {effect.levels[0]}", str(effect.n), mean, _estimate(effect, digits), "", ""))
    return rows


def _pair_rows(analysis: FactorialAnalysis) -> _Rows:
    digits = decimals_of(analysis)
    return [
        (_levels(effect), str(effect.n), _estimate(effect, digits), *_tested(analysis.term(*effect.factors)))
        for effect in sorted(_telling(analysis), key=lambda effect: -abs(effect.value))
    ]


def _levels(effect: Effect) -> str:
    return " ".join(f"{factor}={level}" for factor, level in zip(effect.factors, effect.levels, strict=True))


def _telling(analysis: FactorialAnalysis) -> Iterator[Effect]:
    """All interactions, but of two times two levels the first that is positive alone: it says what the others are."""
    told = set()
    for effect in analysis.interactions:
        if analysis.term(*effect.factors).df > 1:
            yield effect
        elif effect.value >= 0 and effect.factors not in told:
            told.add(effect.factors)
            yield effect


def _one_of_four(analysis: FactorialAnalysis) -> list[str]:
    return [ONE_OF_FOUR] if any(len(term.factors) == 2 and term.df == 1 for term in analysis.terms) else []


def _term_rows(analysis: FactorialAnalysis) -> _Rows:
    tested = [(" x ".join(term.factors), term) for term in analysis.terms]
    if analysis.block is not None:
        tested.append(("blocks (seeds)", analysis.block))
    rows: _Rows = [
        (name, str(term.df), f"{term.sum_of_squares:.4g}", f"{term.f:.2f}", *_tested(term)) for name, term in tested
    ]
    squares = analysis.residual_sd**2 * analysis.residual_df
    rows.append(("rest", str(analysis.residual_df), f"{squares:.4g}", "", "", ""))
    if (lack := analysis.lack_of_fit) is not None:
        p = p_text(lack.p).removeprefix("p ")
        rows.append(("of it lack of fit", str(lack.df), f"{lack.sum_of_squares:.4g}", f"{lack.f:.2f}", p, ""))
        rows.append(("of it pure error", str(lack.pure_error_df), f"{squares - lack.sum_of_squares:.4g}", "", "", ""))
    return rows


def _estimate(effect: Effect, digits: int) -> str:
    return f"{effect.value:+.{digits}f} ({effect.low:+.{digits}f} to {effect.high:+.{digits}f})"


def _tested(term: Term) -> tuple[str, str]:
    return p_text(term.p).removeprefix("p "), f"{term.share:.2f}"


def p_text(p: float) -> str:
    return "p <0.001" if p < 0.001 else f"p {p:.3f}"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption=Text("\n".join(notes), style="dim") if notes else None,
        caption_justify="left",
        caption_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    first, *numbers = columns
    table.add_column(first, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # an option's text is no markup
    return table


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    ruler = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (columns, ruler, *rows))
