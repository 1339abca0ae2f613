"""A volume -> one .nii.gz, which holds voxels and their place and nothing else of the headers."""

import contextlib
import gzip
import hashlib
import re
import warnings
from pathlib import Path
from typing import Final

import nibabel
from nibabel.filebasedimages import ImageFileError

from mammoscope import __version__
from mammoscope.dicom.elements import refuse
from mammoscope.dicom.volumes.geometry import without_shear
from mammoscope.dicom.volumes.volume import Part, Volume
from mammoscope.files import written_whole

MAX_AXIS: Final = 32767  # NIfTI-1 counts voxels in 16 bits
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_MAX_UID: Final = 64  # characters (PS3.5 9.1)
_SCANNER: Final = 1  # NIFTI_XFORM_SCANNER_ANAT: the patient's space of one frame of reference
_COLUMN_ROW_SLICE: Final = [2, 1, 0, 3]
_COMPRESSION: Final = 3  # of 1 to 9
_DIGEST_HEX: Final = 32


def file_name(part: Part) -> str:
    """SeriesInstanceUID, and a number where the series holds several volumes.

    Descriptions and series numbers are typed by people: the first may name a patient, the second are not unique. A UID
    is unique, has digits and dots only, and is what leads back to the series. What is no UID is hashed; where there is
    none, the files' states are.
    """
    uid = part.series_uid
    is_uid = len(uid) <= _MAX_UID and _UID.fullmatch(uid)
    stem = uid if is_uid else f"series-{hashlib.sha256((uid or _states(part)).encode()).hexdigest()[:16]}"
    return f"{stem}{f'-{part.number}' if part.of > 1 else ''}.nii.gz"


def write_nifti(path: Path, volume: Volume) -> None:
    """sform and qform are the same but for roundings of the headers; axes are (column, row, slice), in mm.

    Raises: DicomError E-TOO-LARGE for an axis that NIfTI-1 cannot count.
    """
    if max(volume.array.shape) > MAX_AXIS:
        shape = " x ".join(map(str, volume.array.shape))
        refuse("E-TOO-LARGE", volume.part.slices[0].path, f"{shape} voxels; NIfTI-1 counts to {MAX_AXIS}")
    image = nibabel.Nifti1Image(volume.array.T, affine := volume.affine_ras[:, _COLUMN_ROW_SLICE])
    image.set_sform(affine, _SCANNER)
    image.set_qform(without_shear(volume.affine_ras)[:, _COLUMN_ROW_SLICE], _SCANNER)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(volume.slope, volume.intercept)  # set, so that nibabel does not scale by itself
    image.header["descrip"] = _mark(volume.part)
    with (
        written_whole(path) as temporary,
        open(temporary, "wb") as file,
        gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as packed,  # no name, no time: the same bytes each time
    ):
        image.to_stream(packed)


def is_written(path: Path, part: Part) -> bool:
    """Whether the file is there and was written by this version from the files as they are now."""
    with contextlib.suppress(OSError, EOFError, ImageFileError, ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(nibabel.Nifti1Image.from_filename(path).header["descrip"].item().startswith(_mark(part)))
    return False


def _mark(part: Part) -> bytes:
    """Who wrote it, and a digest of what from, which tells nothing of it."""
    return f"mammoscope {__version__} {hashlib.sha256(_states(part).encode()).hexdigest()[:_DIGEST_HEX]}".encode()


def _states(part: Part) -> str:
    """Its frames, and their files' names, sizes and times."""
    states = {path: path.stat() for path in {s.path for s in part.slices}}
    told = sorted((s.path.name, s.frame, states[s.path].st_size, states[s.path].st_mtime_ns) for s in part.slices)
    return repr(told)
