"""`mammoscope dicom nifti`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_nifti(verbs: Any) -> None:
    nifti = verbs.add_parser("nifti", help="write each series that is a volume as NIfTI", epilog=_NIFTI_NOTE)
    nifti.add_argument("ROOT", type=Path, help="a folder with any number of series, or a file of many frames")
    nifti.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="for <SeriesInstanceUID>.nii.gz")
    nifti.set_defaults(run=_nifti)


_NIFTI_NOTE = (
    "exit status: 0 every series with geometry is written; 2 some were refused, or files could not be read; "
    "1 no volume is there"
)


def _nifti(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.dicom_nifti import convert

    if status := convert(arguments.ROOT, arguments.output):
        sys.exit(status)
