"""Names that nobody else has: UIDs below 2.25, the root for those that are made from a hash (DICOM PS3.5, B.2)."""

import hashlib
from enum import IntEnum


class Role(IntEnum):
    """The last digit of a UID. Folders end in the last five, so no two of one picture can be the same."""

    film_study = 0
    film_series = 1
    film = 2
    roi_study = 3
    roi_series = 4
    crop = 5
    mask = 6
    crop_study = 7  # only where crop and mask have separate series
    crop_series = 8


def make_uid(namespace: str, picture: str, role: Role) -> str:
    """namespace: names the phantom; picture: the DICOM PatientID."""
    digest = hashlib.sha256(f"{namespace}|{picture}".encode()).hexdigest()
    return f"2.25.{int(digest[:30], 16) * 10 + role}"


def ending(uid: str) -> str:
    """What a TCIA folder's name keeps of it."""
    return uid[-5:]
