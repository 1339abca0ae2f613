"""`mammoscope dicom headers ROOT -o table.parquet`: all headers as one table, and what stands out in them."""

from dataclasses import dataclass
from pathlib import Path

from mammoscope.collection.headers import HeadersResult, headers_table
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.headers.selection import Selection
from mammoscope.reporting.console import progress, say


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersOptions:
    output: Path
    keywords: tuple[str, ...]  # none: all
    exclude: tuple[str, ...]
    same_pixels: bool  # to be looked for: reads pixel data
    workers: int  # 0: as many as there are cores


def headers(root: Path, options: HeadersOptions) -> None:
    """Says how many rows there are, what was refused and what does not fit together. Raises: as headers_table does."""
    result = headers_table(
        root,
        options.output,
        selection=Selection(options.keywords, options.exclude),
        same_pixels=options.same_pixels,
        workers=options.workers,
        progress=progress,
    )
    say(f"{result.rows} rows, {result.columns} columns, of {result.files} files")
    if result.resumed:
        say(f"{result.resumed} of them had been read by a command that was interrupted")
    for title, counts in (
        ("without a row", result.rejects),
        ("not whole", result.errors),
        ("anomalies", result.anomalies),
    ):
        for code, count in counts.items():
            say(f"{title}: {count} x {code}: {CODES[code]}")
    if result.untyped:
        say(f"{result.untyped} values are not what their VR allows: their text stands in columns ..._original")
    _say_where(result)


def _say_where(result: HeadersResult) -> None:
    outputs = result.outputs
    beside = ", ".join(path.name for path in (outputs.census, outputs.anomalies, outputs.rejects))
    say(f"written: {outputs.table}; beside it {beside}")
