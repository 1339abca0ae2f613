"""The order of rows: patient, study date and time, series, instance."""

from collections.abc import Mapping
from typing import Final

from mammoscope.collection.picture_ids import patient_of

_LAST: Final = "~"  # after digits and most names: what is absent comes last
_AFTER_ALL: Final = "\U0010ffff"


def sort_key(facts: Mapping[str, str], path: str) -> str:
    """Compared as text. facts: those of dicom.headers.row.Row. No two files have the same."""
    patient_id = facts.get("PatientID", "")
    parts = (
        patient_of(patient_id) or _LAST,
        facts.get("StudyDate") or _LAST,
        facts.get("StudyTime") or _LAST,
        facts.get("StudyInstanceUID") or _LAST,
        _number(facts.get("SeriesNumber", "")),
        facts.get("SeriesInstanceUID") or _LAST,
        _number(facts.get("InstanceNumber", "")),
        facts.get("SOPInstanceUID") or _LAST,
        path,
    )
    return "\x1f".join(parts)


def reject_key(path: str) -> str:
    return _AFTER_ALL + path


def _number(text: str) -> str:
    try:
        return f"{int(text) + (1 << 32):012}"
    except ValueError:
        return _LAST + text
