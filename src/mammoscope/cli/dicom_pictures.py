"""`mammoscope dicom show` and `export`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mammoscope.cli.options import add_workers


def add_show(verbs: Any) -> None:
    show = verbs.add_parser(
        "show",
        help="print headers; pictures and contact sheets as PNG or HTML",
        epilog="exit status: 0 all could be shown, 1 what could not is listed with its code",
    )
    show.add_argument("PATH", type=Path, nargs="+", help="a file: its header is printed; a folder: what lies in it")
    show.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the picture of one file, or a contact sheet: .png or .html; many pages are numbered: sheet-001.png ...",
    )
    show.add_argument(
        "--mask", type=Path, action="append", default=[], metavar="FILE", help="of one file: a mask to outline"
    )
    show.add_argument("--frame", type=int, metavar="N", help="of one file, from 1; default: the middle one")
    add_workers(show)
    show.set_defaults(run=_show)


def _show(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.dicom_show import ShowOptions, show

    options = ShowOptions(
        output=arguments.output, masks=tuple(arguments.mask), frame=arguments.frame, workers=arguments.workers
    )
    if not show(arguments.PATH, options):
        sys.exit(1)


def add_export(verbs: Any) -> None:
    export = verbs.add_parser(
        "export",
        help="every image of a tree as PNG or npy, and one table of what they are",
        epilog="exit status: 0 all were exported, 1 what could not be is listed with its code, in refused.csv too",
    )
    export.add_argument("ROOT", type=Path)
    export.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=True, help="a new folder, or one to go on with"
    )
    export.add_argument("--format", choices=["png", "npy"], default="png", help="default: %(default)s")
    export.add_argument(
        "--values",
        choices=["stored", "display"],
        default="stored",
        help="as they lie in the file, or windows and LUTs applied; default: %(default)s",
    )
    add_workers(export)
    export.set_defaults(run=_export)


def _export(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.collection.export import Format, Values
    from mammoscope.jobs.dicom_export import ExportOptions, export

    options = ExportOptions(
        output=arguments.output,
        format=Format(arguments.format),
        values=Values(arguments.values),
        workers=arguments.workers,
    )
    if not export(arguments.ROOT, options):
        sys.exit(1)
