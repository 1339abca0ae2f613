"""`mammoscope dicom verify`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mammoscope.cli.options import add_workers
from mammoscope.errors import MammoscopeError


def add_verify(verbs: Any) -> None:
    verify = verbs.add_parser(
        "verify",
        help="decode every file, and compare its header with the standard",
        epilog="exit status: 0 no error, 1 at least one (E-...); with --strict, warnings (W-...) are errors, too",
    )
    verify.add_argument("ROOT", type=Path, nargs="?", help="a folder or a file")
    verify.add_argument("--strict", action="store_true", help="warnings count as errors")
    verify.add_argument("-o", "--output", type=Path, metavar="FILE", help="findings as a table: .parquet or .csv")
    verify.add_argument("--codes", action="store_true", help="say what each code means")
    verify.add_argument(
        "--store", type=Path, metavar="FOLDER", help="where it is kept how far it is; default: store.root"
    )
    add_workers(verify)
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.compose import compose_config
    from mammoscope.jobs.dicom_verify import VerifyOptions, say_codes, verify

    if arguments.codes:
        say_codes()
        return
    if arguments.ROOT is None:
        raise MammoscopeError("ROOT is missing; allowed: a folder or a file")
    options = VerifyOptions(
        store_root=arguments.store or Path(compose_config([]).store.root),
        output=arguments.output,
        is_strict=arguments.strict,
        workers=arguments.workers,
    )
    if not verify(arguments.ROOT, options):
        sys.exit(1)
