"""A data set as a file, nothing added but the file meta group."""

import io
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian


def written(path: Path, d: Dataset, syntax: str = ImplicitVRLittleEndian) -> Path:
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = "1.2.3", "1.2.3.4"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, d, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())
    return path
