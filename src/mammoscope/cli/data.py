"""`mammoscope data ...`: a phantom, an index, a doctor. What is heavy is imported when a verb runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mammoscope.cli.options import add_workers
from mammoscope.compose import compose_config
from mammoscope.errors import MammoscopeError


def add_data(commands: Any) -> None:
    data = commands.add_parser("data", help="phantom | index | doctor")
    verbs = data.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_phantom(verbs)
    _add_index(verbs)
    _add_doctor(verbs)


def _add_phantom(verbs: Any) -> None:
    phantom = verbs.add_parser("phantom", help="draw a phantom CBIS-DDSM")
    phantom.add_argument("DEST", type=Path, nargs="?", help="a new or an empty folder")
    phantom.add_argument("--patients", type=int)
    phantom.add_argument("--seed", type=int)
    phantom.add_argument(
        "--size", choices=["small", "full"], default="small", help="full: films as large as CBIS-DDSM's"
    )
    phantom.add_argument("--faults", metavar="NAME[,NAME...]", help="traps to plant, or all; list: say which there are")
    phantom.set_defaults(run=_phantom)


def _phantom(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.sources import draw_phantom, list_faults
    from mammoscope.phantom import parse_faults

    if arguments.faults == "list":
        list_faults()
        return
    if arguments.DEST is None:
        raise MammoscopeError("DEST is missing; allowed: a new or an empty folder to draw the phantom in")
    given = {"patients": arguments.patients, "seed": arguments.seed, **_SIZES[arguments.size]}
    config = compose_config([f"phantom.{key}={value}" for key, value in given.items() if value is not None])
    faults = parse_faults(arguments.faults) if arguments.faults is not None else ()
    draw_phantom(arguments.DEST, config.phantom, config.store.workers, faults)


_SIZES: Final[dict[str, dict[str, int]]] = {
    "small": {},
    "full": {"height_px": 4600, "width_px": 2900},
}  # a file of 26.7 MB


def _add_index(verbs: Any) -> None:
    index = verbs.add_parser("index", help="say what is in a tree of CBIS-DDSM, by its headers")
    index.add_argument("ROOT", type=Path)
    index.add_argument("-o", "--output", type=Path, help="folder for mammograms, abnormalities and defects as Parquet")
    index.set_defaults(run=_index)


def _index(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.index import index

    index(arguments.ROOT, arguments.output)


def _add_doctor(verbs: Any) -> None:
    doctor = verbs.add_parser(
        "doctor",
        help="check a source for every trap, files and pixels, and say whether it can be trained on",
        epilog=_DOCTOR_NOTE,
    )
    doctor.add_argument("ROOT", type=Path)
    doctor.add_argument("--html", type=Path, metavar="FILE", help="a report for a person, in one file, with pictures")
    doctor.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="findings, defects and the catalog as Parquet"
    )
    doctor.add_argument("--allow", type=Path, metavar="FILE", help="reviewed near-duplicates, as for split.allow")
    doctor.add_argument("--no-pixels", action="store_true", help="headers only: minutes for 163 GB; never status 0")
    doctor.add_argument("--store", type=Path, metavar="FOLDER", help="where what was read is kept; default: store.root")
    add_workers(doctor)
    doctor.set_defaults(run=_doctor)


_DOCTOR_NOTE: Final = (
    "exit status: 0 complete (every published file is here and can be used); 2 partial but usable (files are missing "
    "or refused, or pixels were not checked); 1 blocked (nothing usable, too few patients, films of different patients "
    "in train and test that are the same, case descriptions that contradict themselves, no such source)"
)


def _doctor(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    store = compose_config([]).store
    from mammoscope.jobs.doctor import DoctorOptions, doctor

    options = DoctorOptions(
        store_root=arguments.store or Path(store.root),
        workers=arguments.workers or store.workers,
        html=arguments.html,
        output=arguments.output,
        allow=arguments.allow,
        reads_pixels=not arguments.no_pixels,
    )
    if status := doctor(arguments.ROOT, options):
        sys.exit(status)
