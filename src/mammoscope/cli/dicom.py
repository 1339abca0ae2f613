"""`mammoscope dicom ...`: what it can do. What is heavy is imported when a verb runs."""

from typing import Any

from mammoscope.cli.dicom_headers import add_headers
from mammoscope.cli.dicom_pictures import add_export, add_show
from mammoscope.cli.dicom_privacy import add_deidentify, add_phi
from mammoscope.cli.dicom_verify import add_verify
from mammoscope.cli.dicom_volumes import add_nifti


def add_dicom(commands: Any) -> None:
    dicom = commands.add_parser("dicom", help="headers | show | export | verify | nifti | phi | deidentify")
    verbs = dicom.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_headers(verbs)
    add_show(verbs)
    add_export(verbs)
    add_verify(verbs)
    add_nifti(verbs)
    add_phi(verbs)
    add_deidentify(verbs)
