"""A diagnosis as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from mammoscope.catalog.diagnosis import Diagnosis, Verdict
from mammoscope.catalog.inventory import InventoryRow
from mammoscope.records import Finding
from mammoscope.reporting.doctor_table import origin_lines
from mammoscope.reporting.page_style import STYLE
from mammoscope.reporting.traps import EXPLANATIONS
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Trap


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    png: bytes
    caption: str


Groups = Sequence[Sequence[Picture]]  # what is looked at together stands together

_TONE: Final = {Verdict.complete: "good", Verdict.partial: "some", Verdict.blocked: "bad"}
_REFUSED: Final = (Trap.truncated, Trap.syntax, Trap.unreadable, Trap.mask_size, Trap.mask_values)
_MOST_TO_MEND: Final = 20
_COUNTS: Final = ("published", "found", "usable")
# A browser told so by the page itself asks nobody for anything.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def doctor_page(diagnosis: Diagnosis, pictures: Mapping[Trap, Groups]) -> str:
    """HTML: the verdict, the files, a section a trap. It names the source's folder, and not where it lies."""
    title = f"{diagnosis.name}: {diagnosis.verdict}"
    body = "\n".join(_sections(diagnosis, pictures))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _sections(diagnosis: Diagnosis, pictures: Mapping[Trap, Groups]) -> Iterator[str]:
    what = "phantom: synthetic images" if diagnosis.is_phantom else "mammograms with case descriptions"
    yield f'<h1>{escape(diagnosis.name)}</h1><p class="muted">{what}. {RESEARCH_USE_ONLY}</p>'
    yield _verdict(diagnosis)
    if diagnosis.inventory:
        yield f"<h2>Files</h2>{_origins(diagnosis)}{_inventory(diagnosis.inventory)}"
        yield f'<h2>Traps</h2><div class="card"><ul class="index">{"".join(_index(diagnosis))}</ul></div>'
        yield from (_trap(trap, diagnosis, pictures.get(trap, ())) for trap in Trap if diagnosis.of(trap))
    if diagnosis.conventions:
        yield f"<h2>Ways of this data set</h2>{_conventions(diagnosis)}"
    yield f"<footer>{RESEARCH_USE_ONLY}</footer>"


def _verdict(diagnosis: Diagnosis) -> str:
    reasons = [f"Blocks training: {block}" for block in diagnosis.blocks] + list(diagnosis.gaps)
    told = reasons or ["every file that was published is here and can be used"]
    items = "".join(f"<li>{escape(reason)}</li>" for reason in told)
    tone, verdict = _TONE[diagnosis.verdict], escape(diagnosis.verdict.capitalize())
    return (
        f'<div class="card verdict {tone}"><strong>{verdict}</strong>'
        f'<span class="muted">exit status {diagnosis.status}</span><ul>{items}</ul>{_to_mend(diagnosis)}</div>'
    )


def _to_mend(diagnosis: Diagnosis) -> str:
    """What lies there and cannot be used, by name: a user downloads these again."""
    findings = [finding for trap in _REFUSED for finding in diagnosis.of(trap)]
    named = "".join(f'<li><a href="#{f.trap}">{f.trap}</a> {escape(f.row)}</li>' for f in findings[:_MOST_TO_MEND])
    more = f"<li>... and {len(findings) - _MOST_TO_MEND} more</li>" if len(findings) > _MOST_TO_MEND else ""
    return f"<p>Cannot be used as they are:</p><ul>{named}{more}</ul>" if named else ""


def _origins(diagnosis: Diagnosis) -> str:
    return "".join(f'<p class="muted">{escape(line)}</p>' for line in origin_lines(diagnosis))


def _inventory(rows: Sequence[InventoryRow]) -> str:
    lines = [_line([row.kind, row.partition, row.image], [getattr(row, n) for n in _COUNTS]) for row in rows]
    sums = [sum(getattr(row, n) for row in rows) for n in _COUNTS]
    heads = "".join(f"<th>{name}</th>" for name in ("kind", "partition", "image"))
    heads += "".join(f'<th class="number">{name}</th>' for name in _COUNTS)
    body = "".join(lines) + _line(["all", "", ""], sums).replace("<tr>", '<tr class="sum">')
    return f'<div class="card"><table class="inventory"><tr>{heads}</tr>{body}</table></div>'


def _line(words: Sequence[str], counts: Sequence[int]) -> str:
    cells = "".join(f"<td>{escape(word)}</td>" for word in words)
    for count in counts:
        short = " short" if count < counts[0] else ""
        cells += f'<td class="number{short}">{count}</td>'
    return f"<tr>{cells}</tr>"


def _index(diagnosis: Diagnosis) -> Iterator[str]:
    for trap in Trap:
        title, count = escape(EXPLANATIONS[trap].title), len(diagnosis.of(trap))
        if trap in diagnosis.unchecked:
            yield f'<li><a class="none"><span>{title}</span><span>not checked</span></a></li>'
        elif not count:
            yield f'<li><a class="none"><span>{title}</span><span>0</span></a></li>'
        else:
            yield f'<li><a href="#{trap}"><span>{title}</span><b>{count}</b></a></li>'


def _trap(trap: Trap, diagnosis: Diagnosis, groups: Groups) -> str:
    told, findings = EXPLANATIONS[trap], diagnosis.of(trap)
    rows = "1 row" if len(findings) == 1 else f"{len(findings)} rows"
    shown = " open" if len(findings) <= 12 else ""
    return (
        f'<section class="card trap" id="{trap}"><header><h3>{escape(told.title)}</h3><code>{trap}</code>'
        f'<span class="count">{len(findings)}<small> {rows.split()[1]}</small></span></header>'
        f"<p>{escape(told.means)}</p><p><b>mammoscope:</b> {escape(told.remedy)}</p>{_pictures(groups)}"
        f"<details{shown}><summary>{rows}</summary>{_rows(findings)}</details></section>"
    )


def _pictures(groups: Groups) -> str:
    if not groups:
        return ""
    drawn = "".join(f'<div class="group">{"".join(_figure(p) for p in group)}</div>' for group in groups)
    outlines = "Orange: outlines of the masks."
    return f'<div class="pictures">{drawn}</div><p class="muted">{outlines}</p>'


def _figure(picture: Picture) -> str:
    data, caption = base64.b64encode(picture.png).decode("ascii"), escape(picture.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


def _rows(findings: Iterable[Finding]) -> str:
    cells = "".join(
        f"<tr><td>{escape(f.row)}</td><td>{escape(f.found)}</td><td>{escape(f.taken_as)}</td></tr>" for f in findings
    )
    return f'<div class="rows"><table><tr><th>row</th><th>found</th><th>taken as</th></tr>{cells}</table></div>'


def _conventions(diagnosis: Diagnosis) -> str:
    rows = "".join(
        f'<tr><td>{escape(c.what)}</td><td class="number">{c.count} of {c.of}</td><td>{escape(c.taken_as)}</td></tr>'
        for c in diagnosis.conventions
    )
    heads = '<tr><th>what</th><th class="number">count</th><th>taken as</th></tr>'
    return f'<div class="card"><table>{heads}{rows}</table></div>'
