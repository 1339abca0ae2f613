"""`mammoscope dicom headers`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mammoscope.cli.options import add_workers


def add_headers(verbs: Any) -> None:
    headers = verbs.add_parser(
        "headers",
        help="all headers of a tree as one table, an instance a row, and a census beside it",
        epilog=_HEADERS_NOTE,
    )
    headers.add_argument("ROOT", type=Path, help="a folder; every file in it is looked at, whatever its name")
    headers.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="table.parquet or table.csv")
    headers.add_argument(
        "--keywords", nargs="+", default=[], metavar="NAME", help="these elements alone: keywords, tags, paths, 'Pat*'"
    )
    headers.add_argument("--exclude", nargs="+", default=[], metavar="NAME", help="all but these elements")
    headers.add_argument(
        "--same-pixels",
        action="store_true",
        help="find the same pixels under two UIDs; pixel data is read for this only",
    )
    add_workers(headers)
    headers.set_defaults(run=_headers)


_HEADERS_NOTE = (
    "beside table.parquet: table.census (values and missing counts of each element), table.anomalies (what does not "
    "fit together) and table.rejects (files without a row, and why). An interrupted command goes on when given again."
)


def _headers(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.dicom_headers import HeadersOptions, headers

    options = HeadersOptions(
        output=arguments.output,
        keywords=tuple(arguments.keywords),
        exclude=tuple(arguments.exclude),
        same_pixels=arguments.same_pixels,
        workers=arguments.workers,
    )
    headers(arguments.ROOT, options)
