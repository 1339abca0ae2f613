"""Small DICOM files of any content."""

import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

Instance = Callable[..., Path]


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """f("a/b.dcm", PatientID="P", ...): below tmp_path/tree; a UID that is not given is made of the path."""

    def write(path: str, dataset: Dataset | None = None, **elements: object) -> Path:
        d = dataset or Dataset()
        number = int.from_bytes(path.encode()[-12:])
        given = {
            "SOPInstanceUID": f"1.2.3.4.5.{number}",
            "StudyInstanceUID": "1.2.3.4.5.1",
            "SeriesInstanceUID": "1.2.3.4.5.2",
            "PatientID": "P1",
        }
        for keyword, value in (given | elements).items():
            setattr(d, keyword, value)
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
        file = tmp_path / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, d, enforce_file_format=True)
        file.write_bytes(buffer.getvalue())
        return file

    return write
