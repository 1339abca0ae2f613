"""Damaged files: an audit says something of each, a cleaning gives a clean result or an error with a code."""

import random
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mammoscope.dicom.codes import CODES
from mammoscope.dicom.privacy.deidentify import Deidentifier
from mammoscope.dicom.privacy.phi import audit_file
from mammoscope.dicom.privacy.profile import Options
from mammoscope.dicom.privacy.pseudonyms import DicomPseudonyms
from mammoscope.errors import DicomError

from .planted import plain, write, written_planted

DEIDENTIFIER = Deidentifier(pseudonyms=DicomPseudonyms(b"1" * 32), options=Options(shifts_dates=True), is_reviewed=True)


def damaged(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(128, len(found))
        match rng.randrange(4):
            case 0:
                found[at] = rng.randrange(256)
            case 1:
                found[at] ^= 1 << rng.randrange(8)
            case 2:
                del found[at : at + rng.randrange(1, 9)]
            case 3:
                found[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(found)


def outcomes(folder: Path, files: int, seed: int) -> set[str]:
    rng, file, result = random.Random(seed), folder / "damaged.dcm", folder / "result.dcm"
    syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
    whole = [written_planted(folder / "a.dcm", syntax).read_bytes() for syntax in syntaxes]
    whole.append(write(folder / "b.dcm", plain()).read_bytes())
    found = set()
    for _ in range(files):
        file.write_bytes(damaged(rng.choice(whole), rng))
        assert audit_file(file)
        result.unlink(missing_ok=True)
        try:
            DEIDENTIFIER.deidentify(file, result)
            assert audit_file(result) == ()
            found.add("clean")
        except DicomError as error:
            found.add(error.code)
    return found


def test_files_that_are_damaged(tmp_path: Path):
    found = outcomes(tmp_path, 300, seed=1)
    assert {"clean", "E-TRUNCATED", "E-SOP-CLASS"} <= found <= {"clean", *CODES}


@pytest.mark.slow
def test_many_files_that_are_damaged(tmp_path: Path):
    assert outcomes(tmp_path, 6000, seed=2) <= {"clean", *CODES}
