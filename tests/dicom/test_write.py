from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammoscope.dicom.read import read_header, read_pixels
from mammoscope.dicom.write import rewrite, rewrite_compressed, rewrite_pixels, write_film
from mammoscope.errors import DicomError

from ..films import CROP

# What differs from picture to picture; all the rest of a real file's header has to be equal.
OWN = {"SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "PixelData"} | {
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 6)])
def test_pixels_come_back(tmp_path: Path, dtype: type, shape: tuple[int, int]):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    write_film(tmp_path / "1-1.dcm", pixels, CROP)
    read = pydicom.dcmread(tmp_path / "1-1.dcm")
    np.testing.assert_array_equal(read.pixel_array, pixels)
    assert read.pixel_array.dtype == dtype
    assert read.BitsAllocated == read.BitsStored == read.HighBit + 1 == 8 * pixels.itemsize
    assert (read.SmallestImagePixelValue, read.LargestImagePixelValue) == (pixels.min(), pixels.max())
    assert len(read.PixelData) % 2 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["1-1.dcm"]


def test_big_endian_arrays_are_turned(tmp_path: Path):
    pixels = np.array([[1, 256], [65535, 7]], dtype=">u2")
    write_film(tmp_path / "x.dcm", pixels, CROP)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "x.dcm").pixel_array, pixels)


def test_header_equals_that_of_the_real_file(tmp_path: Path, shared: Path):
    folder = shared / "data/cbis_ddsm/dicom_sample/CBIS-DDSM" / CROP.patient_id
    (path,) = folder.rglob("*.dcm")
    real = pydicom.dcmread(path)
    write_film(tmp_path / "x.dcm", np.zeros((4, 4), np.uint16), CROP)
    ours = pydicom.dcmread(tmp_path / "x.dcm")
    assert set(ours.keys()) == set(real.keys())
    for element in real:
        assert ours[element.tag].VR == element.VR
        if element.keyword not in OWN:
            assert ours[element.tag].value == element.value, element
    assert set(ours.file_meta.keys()) == set(real.file_meta.keys())
    for element in real.file_meta:
        if element.keyword not in ("MediaStorageSOPInstanceUID", "FileMetaInformationGroupLength"):
            assert ours.file_meta[element.tag].value == element.value
    assert ours.preamble == real.preamble


@pytest.mark.parametrize(
    "name", sorted({"PixelSpacing", "ViewPosition", "ImageLaterality", "WindowCenter", "PatientAge"})
)
def test_what_the_real_files_lack_stays_absent(tmp_path: Path, name: str):
    write_film(tmp_path / "x.dcm", np.zeros((4, 4), np.uint16), CROP)
    assert name not in pydicom.dcmread(tmp_path / "x.dcm")


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_other_arrays_are_refused_and_leave_nothing(tmp_path: Path, pixels: np.ndarray):
    with pytest.raises(TypeError, match="uint8 or uint16"):
        write_film(tmp_path / "x.dcm", pixels, CROP)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "1-1.dcm"
    write_film(path, np.arange(12, dtype=np.uint16).reshape(3, 4), CROP)
    return path


def test_an_element_is_rewritten_and_nothing_else(written: Path):
    before = written.read_bytes()
    rewrite(written, Laterality="R")
    rewrite(written, SOPInstanceUID="2.25.4")
    changed = pydicom.dcmread(written)
    assert (changed.Laterality, changed.SOPInstanceUID, changed.file_meta.MediaStorageSOPInstanceUID) == (
        "R",
        "2.25.4",
        "2.25.4",
    )
    rewrite(written, Laterality="L", SOPInstanceUID=CROP.sop_uid)
    assert written.read_bytes() == before


def test_pixels_are_rewritten_with_what_says_their_shape(written: Path):
    pixels = np.array([[0, 255, 7]], np.uint8)
    rewrite_pixels(written, pixels)
    read, header = read_pixels(written)
    np.testing.assert_array_equal(read, pixels)
    assert (header.rows_px, header.columns_px, header.bits_allocated) == (1, 3, 8)
    assert (header.sop_uid, header.patient_id) == (CROP.sop_uid, CROP.patient_id)


def test_a_stream_takes_the_place_of_pixels_whatever_it_is(written: Path):
    rewrite_compressed(written, "1.2.840.10008.1.2.5", bytes(80))
    assert read_header(written).rows_px == 3
    with pytest.raises(DicomError, match="E-UNDECODABLE"):
        read_pixels(written)
    assert [path.name for path in written.parent.iterdir()] == ["1-1.dcm"]
