"""The trials of a search, best first, as a page that stands alone."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mammoscope.reporting.page_style import STYLE
from mammoscope.vocabulary import RESEARCH_USE_ONLY

_STATES = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "put back"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    number: int
    state: str  # as Optuna has it
    values: tuple[float, ...]  # blank where it has none
    spread: str = ""  # of the first value, over seeds or folds
    params: Mapping[str, object] = field(default_factory=dict)
    seconds: float | None
    run: str
    remark: str = ""  # why it failed or was pruned; that it is not feasible


def leaderboard_page(
    name: str, objectives: Sequence[str], space: Mapping[str, str], rows: Sequence[TrialRow], planned: int
) -> str:
    """HTML. objectives: 'maximize validation/patient/auc'; space: a range in words by key; rows: best first."""
    counts = {state: sum(row.state == state for row in rows) for state in _STATES}
    told = ", ".join(f"{count} {_STATES[state]}" for state, count in counts.items() if count) or "none begun"
    params = [key for key in space if any(key in row.params for row in rows)]
    params += sorted({key for row in rows for key in row.params} - set(params))
    has_spread = any(row.spread for row in rows)
    heads = ["trial", "state", *(words.split()[-1] for words in objectives), *(["spread"] if has_spread else [])]
    heads += [*params, "took", "run", ""]
    drawn = "".join(f"<li><code>{_safe(key)}</code> {_safe(words)}</li>" for key, words in space.items())
    body = "".join(_row(row, params, len(objectives), has_spread) for row in rows)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Search {_safe(name)}</title><style>{STYLE}main{{max-width:none}}td,th{{white-space:nowrap}}"
        "td:last-child{white-space:normal;min-width:220px}.scroll{overflow-x:auto}tr.first td{font-weight:700}"
        "</style></head><body><main>"
        f"<h1>Search {_safe(name)}</h1><p class='muted'>{_safe('; '.join(objectives))}</p>"
        f"<p>{planned} trials planned: {_safe(told)}.</p><div class='card'><ul class='space'>{drawn}</ul></div>"
        f"<div class='scroll'><table><thead><tr>{''.join(f'<th>{_safe(head)}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
        f"<footer>Chosen on validation: the best of many is better there than it will be on new patients. "
        f"{_safe(RESEARCH_USE_ONLY)}</footer></main></body></html>\n"
    )


def _row(row: TrialRow, params: Sequence[str], values: int, has_spread: bool) -> str:
    numbers = [f"{value:.4f}" for value in row.values] or ["-"] * values
    if has_spread:
        numbers.append(f"{float(row.spread):.4f}" if row.spread else "")
    drawn = [_value(row.params.get(key, "")) for key in params]
    took = "" if row.seconds is None else f"{row.seconds:.0f} s"
    cells = [str(row.number), _STATES.get(row.state, row.state), *numbers, *drawn, took, row.run[:8], row.remark]
    return f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    return html.escape(text)
