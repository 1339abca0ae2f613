"""CBIS-DDSM's PatientIDs, which name a picture and not a patient: Mass-Training_P_00001_LEFT_CC, and _1 of a crop."""

import re
from typing import Final

_PICTURE: Final = re.compile(r"(?:Mass|Calc)-(?:Training|Test)_(P_\d{5})_(?:LEFT|RIGHT)_(?:CC|MLO)(_\d+)?")


def names_picture(patient_id: str) -> bool:
    return _PICTURE.fullmatch(patient_id) is not None


def names_part(patient_id: str) -> bool:
    """Whether the picture is a crop or a mask of an abnormality, not a film."""
    named = _PICTURE.fullmatch(patient_id)
    return named is not None and named[2] is not None


def patient_of(patient_id: str) -> str:
    """Who a DICOM PatientID means: itself, but for CBIS-DDSM's, where P_00001 has several."""
    named = _PICTURE.fullmatch(patient_id)
    return named[1] if named else patient_id
