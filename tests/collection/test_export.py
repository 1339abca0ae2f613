"""One file to plain images: every value kept, names that are nobody else's, and what was done is said."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.collection.export import ExportedImage, ExportTask, Format, Values, export_file, image_name
from mammoscope.dicom.headers.cards import read_card
from mammoscope.errors import DicomError

from ..clinical import write_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 65536, (5, 7)).astype(np.uint16)


def export(
    path: Path, folder: Path, format: str = "png", values: str = "stored"
) -> list[tuple[ExportedImage, np.ndarray]]:
    folder.mkdir(exist_ok=True)
    task = ExportTask(
        root=path.parent, path=Path(path.name), folder=folder, format=Format(format), values=Values(values)
    )
    images = export_file(task)
    assert not isinstance(images, DicomError), images
    return [(image, _read(folder / image.image)) for image in images]


def _read(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


@pytest.mark.parametrize("format", ["png", "npy"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_stored_values_come_out_as_they_are(tmp_path: Path, format: str, dtype: type):
    pixels = GREY.astype(dtype)
    path = write_image(
        tmp_path / "a.dcm", pixels, WindowCenter=9, WindowWidth=5, PhotometricInterpretation="MONOCHROME1"
    )
    ((image, read),) = export(path, tmp_path / "out", format)
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == dtype
    assert (image.values, image.dtype, image.photometric) == ("none", np.dtype(dtype).name, "MONOCHROME1")
    assert (image.rows, image.columns, image.frame, image.frames) == (5, 7, 1, 1)
    assert (image.patient_id, image.study_uid, image.series_uid) == ("P1", "1.2.3", "1.2.3.4")


def test_signed_values_are_moved_for_a_png_and_that_is_said(tmp_path: Path):
    signed = GREY.view(np.int16)
    path = write_image(tmp_path / "a.dcm", signed)
    ((image, read),) = export(path, tmp_path / "out")
    np.testing.assert_array_equal(read.astype(int) - 32768, signed)
    assert image.values == "32768 added: a PNG has no sign"
    ((image, read),) = export(path, tmp_path / "npy", "npy")
    np.testing.assert_array_equal(read, signed)
    assert image.values == "none"


def test_display_values_have_windows_applied(tmp_path: Path):
    window = {"WindowCenter": 300, "WindowWidth": 200, "VOILUTFunction": "LINEAR_EXACT"}
    path = write_image(tmp_path / "a.dcm", np.array([[200, 300, 400]], np.uint16), **window)
    ((image, read),) = export(path, tmp_path / "out", values="display")
    np.testing.assert_array_equal(read, [[0, 32768, 65535]])
    assert image.values == "windows and LUTs, black 0, white 65535"


def test_colour_keeps_its_order(tmp_path: Path):
    pixels = RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    ((image, read),) = export(write_image(tmp_path / "a.dcm", pixels), tmp_path / "out")
    np.testing.assert_array_equal(read, pixels)
    assert image.samples_per_pixel == 3


def test_frames_are_numbered_from_one(tmp_path: Path):
    frames = RNG.integers(0, 65536, (11, 4, 6)).astype(np.uint16)
    found = export(write_image(tmp_path / "a.dcm", frames), tmp_path / "out")
    assert [image.frame for image, _ in found] == list(range(1, 12))
    assert [image.image[-9:] for image, _ in found[::10]] == ["00001.png", "00011.png"]
    np.testing.assert_array_equal(np.stack([read for _, read in found]), frames)


def test_values_that_a_png_cannot_hold_are_refused(tmp_path: Path):
    pixels = np.arange(6, dtype=np.uint32).reshape(2, 3)
    path = write_image(tmp_path / "a.dcm", pixels)
    task = ExportTask(root=tmp_path, path=Path("a.dcm"), folder=tmp_path, format=Format.png, values=Values.stored)
    error = export_file(task)
    assert isinstance(error, DicomError)
    assert "allowed: 8 and 16 bits, or --format npy" in error.reason
    np.testing.assert_array_equal(export(path, tmp_path / "out", "npy")[0][1], pixels)


def test_a_name_cannot_leave_its_folder_nor_meet_another(tmp_path: Path):
    hostile = write_image(tmp_path / "a.dcm", GREY, PatientID="../../x\\<>|?*\x1b y")
    card = read_card(hostile)
    names = {
        image_name(card, path, frame, "png") for path in ("a", "A", "a/b", "a-b", "b\udcff") for frame in (None, 1, 2)
    }
    assert len({name.lower() for name in names}) == 15
    for name in names:
        assert Path(name).name == name
        assert name.isascii()
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
        assert not name.startswith(".")
    nameless = write_image(tmp_path / "b.dcm", GREY, PatientID="")
    assert image_name(read_card(nameless), "b", None, "npy").startswith("image-")
