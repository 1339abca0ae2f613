"""`mammoscope dicom phi` and `deidentify`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mammoscope.cli.options import add_workers


def add_phi(verbs: Any) -> None:
    phi = verbs.add_parser(
        "phi",
        help="say where something identifies a person, without saying what",
        epilog="exit status: 0 nothing was found, 1 something was. A file that says that the Basic Profile was applied "
        "to it (0012,0062 and 0012,0064) is held to it: UIDs and names of the form that deidentify gives them, dates "
        "that it says were moved and a device that it says was retained are let pass.",
    )
    phi.add_argument("ROOT", type=Path, help="a folder or a file")
    phi.add_argument("-o", "--output", type=Path, metavar="FILE", help="every finding as a table: .parquet or .csv")
    add_workers(phi)
    phi.set_defaults(run=_phi)


def add_deidentify(verbs: Any) -> None:
    deidentify = verbs.add_parser(
        "deidentify",
        help="write a tree again with nobody's name on it (PS3.15 Annex E, and only what is known to be safe)",
        epilog="exit status: 0 every file was de-identified; 1 some were not: the table of rejects, beside DEST, has "
        "a line with a code for each of them. Pixels are carried over as they are. Interrupted, the same command goes "
        "on. UIDs, dates and pseudonyms depend on the key alone: another run with it gives the same ones.",
    )
    deidentify.add_argument("ROOT", type=Path, help="a folder or a file; it is only read")
    deidentify.add_argument("DEST", type=Path, help="a new or empty folder, or one that the same command has begun")
    deidentify.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="the key; whoever has it can "
                            "find out who is who, so keep it away from DEST")  # fmt: skip
    deidentify.add_argument("--new-key", action="store_true", help="draw a key where --key-file does not exist yet")
    deidentify.add_argument(
        "--shift-dates",
        action="store_true",
        help="keep dates, moved by a number of days that each patient has (1 to 3,652 into the past), and times of "
        "day as they are; else both are emptied or removed",
    )
    deidentify.add_argument(
        "--retain-device", action="store_true", help="keep serial numbers and names of the machine and the station"
    )
    deidentify.add_argument(
        "--pixels-reviewed",
        action="store_true",
        help="somebody has looked at every picture that is a Secondary Capture or does not say whether there is text "
        "in it, and found nothing that identifies; else such files are refused. BurnedInAnnotation YES always is",
    )
    deidentify.add_argument(
        "--mapping", type=Path, metavar="FILE", help="write down who became who, for its owner's eyes alone (.csv)"
    )
    add_workers(deidentify)
    deidentify.set_defaults(run=_deidentify)


def _phi(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.dicom_phi import phi

    if not phi(arguments.ROOT, arguments.output, arguments.workers):
        sys.exit(1)


def _deidentify(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.dicom_deidentify import DeidentifyOptions, deidentify

    options = DeidentifyOptions(
        key_file=arguments.key_file,
        draws_key=arguments.new_key,
        shifts_dates=arguments.shift_dates,
        retains_device=arguments.retain_device,
        is_reviewed=arguments.pixels_reviewed,
        mapping=arguments.mapping,
        workers=arguments.workers,
    )
    if not deidentify(arguments.ROOT, arguments.DEST, options):
        sys.exit(1)
