"""One file in, arrays and facts out; and every way in which a file can be wrong."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from mammoscope.dicom.codes import CODES
from mammoscope.dicom.read import read_film, read_header, read_pixels
from mammoscope.errors import DicomError

PIXELS = np.arange(12 * 10, dtype=np.uint16).reshape(12, 10) * 7


def dataset(pixels: np.ndarray = PIXELS, syntax: str = ImplicitVRLittleEndian, **changes: object) -> Dataset:
    """A film as CBIS-DDSM has them; a change of None removes the element."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = SecondaryCaptureImageStorage
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = "1.2.3.4"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.Modality = "1.2", "1.2.3", "MG"
    d.PatientID, d.PatientOrientation, d.Laterality = "Mass-Training_P_00001_LEFT_MLO", "MLO", "L"
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    d.BitsAllocated = d.BitsStored = bits
    d.HighBit, d.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    d.PixelData = data + b"\0" * (len(data) % 2)
    d["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        if value is None:
            delattr(d, keyword)
        else:
            setattr(d, keyword, value)
    return d


def as_bytes(d: Dataset) -> bytes:
    buffer = io.BytesIO()
    syntax = d.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(
        buffer,
        d,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return buffer.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Dataset | bytes], Path]:
    def _write(content: Dataset | bytes) -> Path:
        path = tmp_path / "1-1.dcm"
        path.write_bytes(content if isinstance(content, bytes) else as_bytes(content))
        return path

    return _write


def code_of(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(DicomError) as caught:
        read(path)
    assert caught.value.code in CODES
    assert str(path) in str(caught.value)
    return caught.value.code


def test_header_holds_the_facts(write):
    path = write(dataset())
    header = read_header(path)
    assert (header.rows_px, header.columns_px, header.bits_allocated, header.bits_stored) == (12, 10, 16, 16)
    assert (header.laterality, header.view, header.modality) == ("L", "MLO", "MG")
    assert (header.sop_uid, header.series_uid, header.study_uid) == ("1.2.3.4", "1.2.3", "1.2")
    assert header.file_bytes == path.stat().st_size
    assert header.pixel_bytes == 240


def test_clinical_elements_win_over_those_of_cbis(write):
    header = read_header(
        write(dataset(ViewPosition="CC", PatientOrientation=["A", "R"], ImageLaterality="R", Laterality="L"))
    )
    assert (header.view, header.patient_orientation, header.laterality) == ("CC", "A\\R", "R")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint8])
def test_stored_values_in_every_plain_encoding(write, syntax, dtype):
    pixels = (np.arange(5 * 7).reshape(5, 7) * 3 - (50 if dtype is np.int16 else 0)).astype(dtype)
    d = dataset(pixels, syntax)
    if syntax == ExplicitVRBigEndian and dtype is np.uint8:  # what a big endian writer does with 8 bits in OW
        d.PixelData = np.frombuffer(d.PixelData, np.uint16).byteswap().tobytes()
    path = write(d)
    read, _ = read_pixels(path)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, pixels)
    np.testing.assert_array_equal(read, pydicom.dcmread(path).pixel_array)


def test_bits_above_those_stored_mean_nothing(write):
    unsigned, _ = read_pixels(write(dataset(PIXELS | 0xF000, BitsStored=12, HighBit=11)))
    np.testing.assert_array_equal(unsigned, PIXELS)
    signed, _ = read_pixels(
        write(dataset(np.array([[0x0FFF, 0x7001]], np.uint16), BitsStored=12, HighBit=11, PixelRepresentation=1))
    )
    np.testing.assert_array_equal(signed, np.array([[-1, 1]], np.int16))


def test_film_is_the_stored_values_where_nothing_else_is_said(write):
    film = read_film(write(dataset()))
    assert film.image.dtype == np.float32
    np.testing.assert_array_equal(film.image, PIXELS)
    np.testing.assert_array_equal(film.raw, PIXELS)


def test_film_applies_rescale_window_and_inversion_in_this_order(write):
    changes = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 500, "WindowWidth": 400}
    plain = read_film(write(dataset(**changes)))
    expected = pydicom.pixels.apply_voi_lut(PIXELS * 2.0 - 100, dataset(**changes))
    np.testing.assert_allclose(plain.image, expected, rtol=1e-6)
    inverted = read_film(write(dataset(PhotometricInterpretation="MONOCHROME1", **changes)))
    np.testing.assert_allclose(inverted.image, (65535 * 2 - 200) - expected, rtol=1e-6)
    np.testing.assert_array_equal(inverted.raw, PIXELS)


def test_empty_window_means_none(write):
    film = read_film(write(dataset(WindowCenter="", WindowWidth="", RescaleSlope="", RescaleIntercept="")))
    np.testing.assert_array_equal(film.image, PIXELS)


@pytest.mark.parametrize(
    "changes",
    [
        {"WindowCenter": 500},
        {"WindowCenter": 500, "WindowWidth": 0},
        {"WindowCenter": 500, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
    ],
)
def test_forbidden_window_is_refused(write, changes):
    path = write(dataset(**changes))
    assert code_of(read_film, path) == "E-GREY"
    read_pixels(path)


@pytest.mark.parametrize("kept", [0, 1, 100, 131])
def test_cut_before_the_prefix(write, kept):
    assert code_of(read_header, write(as_bytes(dataset())[:kept])) == "E-NOT-DICOM"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_cut_anywhere_is_noticed_without_reading_pixels(write, syntax):
    whole = as_bytes(dataset(syntax=syntax))
    codes = {code_of(read_header, write(whole[:kept])) for kept in range(132, len(whole))}
    assert codes <= {"E-TRUNCATED", "E-NO-PIXELS", "E-HEADER", "E-UNREADABLE"}
    for kept in range(len(whole) - PIXELS.nbytes - 7, len(whole)):
        assert code_of(read_header, write(whole[:kept])) == "E-TRUNCATED"


def test_more_promised_than_there_is(write):
    whole = as_bytes(dataset())
    at = whole.index(struct.pack("<HH", 0x7FE0, 0x0010)) + 4
    assert code_of(read_header, write(whole[:at] + struct.pack("<L", 0xFFFFFFF0) + whole[at + 4 :])) == "E-TRUNCATED"


def encapsulated(data: bytes, syntax: str, pixels: np.ndarray = PIXELS, **changes: object) -> Dataset:
    return dataset(pixels, syntax, PixelData=encapsulate([data]), **changes)


def compressed(pixels: np.ndarray, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def test_run_length(write):
    d = dataset(syntax=ExplicitVRLittleEndian)
    d.compress(RLELossless)
    read, header = read_pixels(write(d))
    assert header.transfer_syntax == RLELossless
    np.testing.assert_array_equal(read, PIXELS)


def test_jpeg_2000_and_a_cut_inside_it(write):
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 30)).astype(np.uint16)
    stream = compressed(pixels, "JPEG2000", no_jp2=True)
    np.testing.assert_array_equal(read_pixels(write(encapsulated(stream, JPEG2000Lossless, pixels)))[0], pixels)
    half = encapsulated(stream[: len(stream) // 2], JPEG2000Lossless, pixels)
    assert code_of(read_pixels, write(half)) == "E-TRUNCATED"
    whole = as_bytes(encapsulated(stream, JPEG2000Lossless, pixels))
    for kept in range(len(whole) - 60, len(whole)):
        assert code_of(read_header, write(whole[:kept])) == "E-TRUNCATED"


def test_jpeg(write):
    pixels = np.tile(np.arange(32, dtype=np.uint8) * 8, (24, 1))
    read, _ = read_pixels(write(encapsulated(compressed(pixels, "JPEG", quality=95), JPEGBaseline8Bit, pixels)))
    assert np.abs(read.astype(int) - pixels).max() <= 4


@pytest.mark.parametrize(("format", "syntax"), [("JPEG2000", JPEG2000Lossless), ("JPEG", JPEGBaseline8Bit)])
def test_a_large_picture_under_a_small_header_is_not_decoded(write, format, syntax):
    stream = compressed(np.zeros((600, 500), np.uint8), format)
    path = write(encapsulated(stream, syntax, np.zeros((6, 5), np.uint8)))
    read_header(path)
    assert code_of(read_pixels, path) == "E-SIZE"


def test_damaged_stream(write):
    stream = bytearray(compressed(np.zeros((12, 10), np.uint8), "JPEG"))
    stream[2:6] = b"\xff\xff\xff\xff"
    assert code_of(read_pixels, write(encapsulated(bytes(stream), JPEGBaseline8Bit, np.zeros((12, 10), np.uint8)))) in {
        "E-UNDECODABLE",
        "E-TRUNCATED",
    }
    assert code_of(read_pixels, write(encapsulated(b"no run lengths", RLELossless))) == "E-UNDECODABLE"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "CT"}, "E-NOT-MG"),
        ({"Modality": None}, "E-NOT-MG"),
        ({"PixelData": None}, "E-NO-PIXELS"),
        ({"PixelData": None, "Modality": "SR"}, "E-NOT-MG"),
        ({"Rows": 13}, "E-TRUNCATED"),
        ({"Rows": 6}, "E-SIZE"),
        ({"Rows": 0}, "E-SIZE"),
        ({"Rows": 65535, "Columns": 65535}, "E-SIZE"),
        ({"Rows": None}, "E-HEADER"),
        ({"SeriesInstanceUID": None}, "E-HEADER"),
        ({"SOPInstanceUID": ""}, "E-HEADER"),
        ({"NumberOfFrames": 2}, "E-FRAMES"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "E-COLOR"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "E-COLOR"),
        ({"BitsStored": 12}, "E-BITS"),
        ({"BitsAllocated": 32}, "E-BITS"),
        ({"BitsStored": 0, "HighBit": 65535}, "E-BITS"),
    ],
)
def test_refused_headers(write, changes, code):
    d = dataset(**changes)
    if changes.get("SOPInstanceUID") == "":
        d.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    path = write(d)
    assert code_of(read_header, path) == code
    assert code_of(read_pixels, path) == code


def test_undecodable_syntaxes(write):
    assert code_of(read_header, write(encapsulated(b"..", "1.2.840.10008.1.2.4.103"))) == "E-UNDECODABLE"
    assert code_of(read_header, write(encapsulated(b"..", "1.2.3.4.5.6"))) == "E-SYNTAX"


def test_a_deflated_file_is_read(write):
    path = write(dataset(syntax=DeflatedExplicitVRLittleEndian))
    pixels, header = read_pixels(path)
    assert header.transfer_syntax == DeflatedExplicitVRLittleEndian
    assert np.array_equal(pixels, PIXELS)


def test_a_deflated_file_is_inflated_within_limits(write):
    whole = as_bytes(dataset(syntax=DeflatedExplicitVRLittleEndian))
    assert code_of(read_header, write(whole[:-30])) == "E-TRUNCATED"
    meta = whole[: whole.index(b"1.2.840.10008.1.2.1.99") + 22]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(deflater.compress(bytes(1 << 24)) for _ in range(17)) + deflater.flush()
    assert len(bomb) < 300_000
    assert code_of(read_header, write(meta + bomb)) == "E-TOO-LARGE"
    assert code_of(read_header, write(meta + b"\xff" * 99)) == "E-UNDECODABLE"


def test_text_file_folder_pipe_link_and_nothing(write, tmp_path):
    assert code_of(read_header, write(b"these are not the pixels " * 100)) == "E-NOT-DICOM"
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "broken.dcm").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "pipe.dcm", tmp_path / "broken.dcm", tmp_path / "absent.dcm"):
        assert code_of(read_header, path) == "E-UNREADABLE"


def test_nested_sequences_end(write):
    inner = Dataset()
    for _ in range(400):
        outer = Dataset()
        outer.add_new(0x00081140, "SQ", [inner])
        outer["ReferencedImageSequence"].is_undefined_length = True
        inner.is_undefined_length_sequence_item = True
        inner = outer
    d = dataset(ReferencedImageSequence=[Dataset()])
    start = struct.pack("<HHL", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    whole = as_bytes(d)
    at = whole.index(struct.pack("<HH", 0x0008, 0x1140))
    rest = whole.index(struct.pack("<HH", 0x0010, 0x0020))
    assert code_of(read_header, write(whole[:at] + start * 2000 + end * 2000 + whole[rest:])) == "E-NESTED"


def test_every_real_crop(shared):
    paths = sorted((shared / "data/cbis_ddsm").glob("dicom_sample*/**/*.dcm"))
    assert len(paths) == 9
    for path in paths:
        film = read_film(path)
        expected = pydicom.dcmread(path).pixel_array
        np.testing.assert_array_equal(film.raw, expected)
        np.testing.assert_array_equal(film.image, expected)
        assert film.raw.max() == 65535
        assert film.header.series_description == "cropped images"
        assert film.header.view in film.header.patient_id


def test_damaged_bytes_never_raise_anything_else(write):
    rng = np.random.default_rng(0)
    d = dataset(RescaleSlope=1, RescaleIntercept=0, WindowCenter=9, WindowWidth=9)
    whole = np.frombuffer(as_bytes(d), np.uint8)
    codes = []
    for _ in range(400):
        damaged = whole.copy()
        damaged[rng.integers(132, len(whole) - PIXELS.nbytes, 3)] = rng.integers(0, 256, 3)
        path = write(damaged.tobytes())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                film = read_film(path)
        except DicomError as error:
            codes.append(error.code)
        else:
            assert film.raw.shape == film.image.shape == (film.header.rows_px, film.header.columns_px)
    assert len(codes) > 100
    assert set(codes) <= set(CODES)
