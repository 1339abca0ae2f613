"""Series and files of many frames -> arrays with their place: right to the voxel, or refused with the reason."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    JPEG2000Lossless,
    JPEGLSLossless,
    NuclearMedicineImageStorage,
    RLELossless,
)

from mammoscope.dicom.codes import CODES
from mammoscope.dicom.volumes.volume import Volume, read_part, read_volume, series_parts
from mammoscope.errors import DicomError

from . import stacks
from .stacks import OBLIQUE, Stack, assert_same_in_world, multiframe, noise, write, write_series

SHUFFLED = [3, 1, 6, 0, 2, 5, 4]
PER_SLICE = tuple((1 + k / 8, -10.5 * k) for k in range(7))


def assert_is(volume: Volume, stack: Stack) -> None:
    assert_same_in_world(volume.values, volume.affine_ras, stack.values, stack.affine_ras)


def refusal(paths: list[Path]) -> DicomError:
    with pytest.raises(DicomError) as caught:
        read_volume(paths)
    assert caught.value.code in CODES
    return caught.value


@pytest.mark.parametrize("order", [None, range(6, -1, -1), SHUFFLED], ids=["in order", "reversed", "shuffled"])
def test_a_series_is_the_volume_that_its_headers_describe(tmp_path: Path, order: list[int] | None):
    volume = read_volume(write_series(tmp_path, OBLIQUE, order))
    assert_is(volume, OBLIQUE)
    np.testing.assert_allclose(volume.affine_ras, OBLIQUE.affine_ras, atol=1e-6)
    np.testing.assert_array_equal(volume.array, OBLIQUE.stored)
    assert (volume.storage, volume.unit) == ("uint16, slope 1, intercept -1024", "HU")


@pytest.mark.parametrize("sop_class", [BreastTomosynthesisImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage])
@pytest.mark.parametrize("order", [None, SHUFFLED], ids=["in order", "shuffled"])
def test_frames_lie_where_their_functional_groups_say(tmp_path: Path, sop_class: str, order: list[int] | None):
    path = write(tmp_path / "a.dcm", multiframe(OBLIQUE, sop_class, order))
    assert_is(read_volume([path]), OBLIQUE)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=["RLE", "JPEG 2000", "JPEG-LS"])
def test_compressed_frames_are_no_different(tmp_path: Path, syntax: str):
    stack = replace(OBLIQUE, stored=noise(5, 40, 50), rescale=PER_SLICE[:5])
    path = write(tmp_path / "a.dcm", multiframe(stack, order=[4, 0, 3, 1, 2]), syntax)
    assert_is(read_volume([path]), stack)


@pytest.mark.parametrize(
    ("rescale", "stored", "storage"),
    [
        (((1.0, 0.0),), noise(7, 10, 12), "uint16"),
        (((1.0, -1024.0),), noise(7, 10, 12, dtype="int16", bits=16), "int16, slope 1, intercept -1024"),
        (((0.1, -3.25),), noise(7, 10, 12), "uint16, slope 0.1, intercept -3.25"),
        (((1.0, -2.0),), noise(7, 10, 12, dtype="uint8", bits=8), "uint8, slope 1, intercept -2"),
        (tuple((1.0, -100.0 * k) for k in range(7)), noise(7, 10, 12, dtype="uint8", bits=8), "int16"),
        (tuple((1.0, -100.0 * k) for k in range(7)), noise(7, 10, 12), "int32"),
        (tuple((1.0, 0.5 * k) for k in range(7)), noise(7, 10, 12), "float32: rescale differs between slices"),
        (PER_SLICE, noise(7, 10, 12), "float32: rescale differs between slices"),
        (tuple((1e-4, 1e4 * k) for k in range(7)), noise(7, 10, 12), "float64: rescale differs between slices"),
    ],
)
@pytest.mark.parametrize("is_multiframe", [False, True], ids=["series", "frames"])
def test_values_are_kept_so_that_nothing_is_lost(
    tmp_path: Path, rescale: tuple, stored: np.ndarray, storage: str, is_multiframe: bool
):
    stack = replace(OBLIQUE, rescale=rescale, stored=stored)
    paths = [write(tmp_path / "a.dcm", multiframe(stack))] if is_multiframe else write_series(tmp_path, stack)
    volume = read_volume(paths)
    assert volume.storage == storage
    assert_is(volume, stack)
    order = np.argsort(stack.values, axis=None)
    was_apart, is_apart = (np.diff(v.ravel()[order]) > 0 for v in (stack.values, volume.values))
    np.testing.assert_array_equal(was_apart, is_apart)  # no two values have become one


def edited(keyword: str, value: object, at: int = 2) -> Callable[[Dataset, int], None]:
    def edit(d: Dataset, k: int) -> None:
        if k == at:
            setattr(d, keyword, value)

    return edit


@pytest.mark.parametrize(
    ("keyword", "value", "code", "said"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 0, 1, 0], "E-ORIENTATION", "001.dcm"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "E-GEOMETRY", "with the product 1.0000"),
        ("ImageOrientationPatient", None, "E-NO-GEOMETRY", "no ImageOrientationPatient"),
        ("ImagePositionPatient", [1, 2], "E-GEOMETRY", "allowed: 3 finite numbers"),
        ("ImagePositionPatient", OBLIQUE.position(1), "E-DUPLICATE", "002.dcm and 003.dcm"),
        ("PixelSpacing", [0.75, 0.6], "E-MIXED", r"0.75\0.6 in 003.dcm"),
        ("PixelSpacing", [0, 0.5], "E-GEOMETRY", r"PixelSpacing is 0\0.5"),
        ("RescaleType", "US", "E-MIXED", "unit is 'HU' in 001.dcm and 'US' in 003.dcm"),
        ("RescaleSlope", 0, "E-GREY", "RescaleSlope is 0"),
        ("RescaleIntercept", None, "E-GREY", "one without the other"),
        ("PhotometricInterpretation", "MONOCHROME1", "E-MIXED", "'MONOCHROME1' in 003.dcm"),
        ("PhotometricInterpretation", "PALETTE COLOR", "E-COLOR", "PALETTE COLOR"),
        ("FrameOfReferenceUID", "1.2.3", "E-MIXED", "FrameOfReferenceUID is not the same in 001.dcm and 003.dcm"),
        ("PatientID", "SECRET-2", "E-MIXED", "PatientID is not the same in 001.dcm and 003.dcm"),
        ("SeriesInstanceUID", "1.2.3", "E-SERIES", "2 series"),
        ("SpacingBetweenSlices", 7, "E-SPACING", "2.5 mm apart by their positions, 7 mm by SpacingBetweenSlices"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "MOSAIC"], "E-GEOMETRY", "a mosaic"),
    ],
)
def test_a_slice_unlike_the_others_is_refused_with_the_reason(
    tmp_path: Path, keyword: str, value: object, code: str, said: str
):
    paths = write_series(tmp_path, OBLIQUE, edit=edited(keyword, value))
    error = refusal(paths)
    assert (error.code, said in error.reason) == (code, True), error
    assert "SECRET" not in str(error)


def test_missing_slices_are_refused_and_the_series_is_named(tmp_path: Path):
    error = refusal(write_series(tmp_path, OBLIQUE, [0, 1, 3, 4, 5, 6]))
    assert error.code == "E-GAP"
    assert f"series {stacks.SERIES}: 1 slice is missing: slices lie 2.5 mm apart, but 5 mm from 002.dcm" in error.reason
    frames = multiframe(OBLIQUE, order=[0, 2, 4, 6])
    error = refusal([write(tmp_path / "m.dcm", frames)])
    assert (error.code, "1 of every 2 are missing" in error.reason) == ("E-GAP", True)


def test_a_tilted_gantry_is_refused(tmp_path: Path):
    def lean(d: Dataset, k: int) -> None:
        d.ImagePositionPatient = [round(v, 8) for v in np.array(OBLIQUE.position(k)) + k * 0.2 * OBLIQUE.axes[:, 1]]

    error = refusal(write_series(tmp_path, OBLIQUE, edit=lean))
    assert (error.code, "4.57 degrees" in error.reason) == ("E-SHEAR", True)


def test_what_the_standard_tells_apart_are_volumes_of_their_own(tmp_path: Path):
    """Two stacks at two times each, in one file; each volume has its own values."""
    shapes = [replace(OBLIQUE, stored=noise(3, 10, 12, seed=seed)) for seed in range(4)]
    d = multiframe(replace(OBLIQUE, stored=np.concatenate([s.stored for s in shapes])))
    for n, frame in enumerate(d.PerFrameFunctionalGroupsSequence):
        content = frame.FrameContentSequence[0]
        content.StackID, content.TemporalPositionIndex = "AB"[n // 6], 9 + n // 3 % 2
        frame.PlanePositionSequence[0].ImagePositionPatient = OBLIQUE.position(n % 3)
    path = write(tmp_path / "a.dcm", d)
    parts = series_parts([path])
    assert [part.told_by for part in parts] == [
        (("stack", stack), ("time", time)) for stack in "AB" for time in ("9", "10")
    ]
    for part, stack in zip(parts, shapes, strict=True):
        assert_is(read_part(part), stack)
    error = refusal([path])
    assert error.code == "E-SERIES"
    assert "4 volumes" in error.reason
    assert "stack A, time 9" in error.reason


@pytest.mark.parametrize(
    ("keyword", "values", "told"),
    [
        ("EchoTime", (4.5, 12.5), ("echo 4.5", "echo 12.5")),
        ("TemporalPositionIdentifier", (1, 2), ("time 1", "time 2")),
        ("DiffusionBValue", (0, 800), ("b-value 0.0", "b-value 800.0")),
        ("ImageType", (["ORIGINAL ", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), ("PRIMARY\\M", "PRIMARY\\P")),
    ],
)
def test_echoes_times_and_types_of_a_series_are_volumes_of_their_own(
    tmp_path: Path, keyword: str, values: tuple, told: tuple[str, str]
):
    stack = replace(OBLIQUE, stored=noise(3, 4, 5))
    paths = [
        path
        for n, value in enumerate(values)
        for path in write_series(tmp_path / str(n), stack, edit=lambda d, k, v=value: setattr(d, keyword, v))
    ]
    parts = series_parts(reversed(paths))
    assert len(parts) == 2
    for part, words in zip(parts, told, strict=True):
        assert words in part.name
        assert_is(read_part(part), stack)
    unsaid = [write_series(tmp_path / f"x{n}", stack) for n in range(2)]
    assert refusal([*unsaid[0], *unsaid[1]]).code == "E-DUPLICATE"


def test_frames_without_a_place_of_their_own_are_none(tmp_path: Path):
    d = multiframe(OBLIQUE)
    del d.PerFrameFunctionalGroupsSequence, d.SharedFunctionalGroupsSequence
    assert refusal([write(tmp_path / "a.dcm", d)]).code == "E-NO-GEOMETRY"
    d.ImagePositionPatient = [0, 0, 0]
    error = refusal([write(tmp_path / "b.dcm", d)])
    assert (error.code, "one position for 7 frames" in error.reason) == ("E-NO-GEOMETRY", True)


def test_functional_groups_must_be_as_many_as_frames(tmp_path: Path):
    d = multiframe(OBLIQUE)
    del d.PerFrameFunctionalGroupsSequence[6]
    assert "functional groups of 6 frames; NumberOfFrames is 7" in refusal([write(tmp_path / "a.dcm", d)]).reason


def test_a_modality_lut_stands_in_for_slope_and_intercept(tmp_path: Path):
    stack = replace(OBLIQUE, stored=noise(3, 4, 5, bits=4), rescale=((3.0, 7.0),))  # which the LUT says, too

    def edit(d: Dataset, k: int) -> None:
        item = Dataset()
        item.LUTDescriptor, item.ModalityLUTType = [16, 0, 16], "US"
        item.add_new("LUTData", "OW", (3 * np.arange(16, dtype="<u2") + 7).tobytes())
        d.ModalityLUTSequence = [item]
        del d.RescaleSlope, d.RescaleIntercept

    volume = read_volume(write_series(tmp_path, stack, edit=edit))
    assert volume.array.dtype == np.float32
    assert_is(volume, stack)


def test_values_are_measured_not_shown(tmp_path: Path):
    def edit(d: Dataset, k: int) -> None:
        d.PhotometricInterpretation, d.WindowCenter, d.WindowWidth = "MONOCHROME1", 40, 0  # a width that is forbidden

    assert_is(read_volume(write_series(tmp_path, OBLIQUE, edit=edit)), OBLIQUE)


def test_floats_stay_what_they_are(tmp_path: Path):
    d = multiframe(replace(OBLIQUE, rescale=((1.0, 0.0),)), EnhancedMRImageStorage)
    del d.PixelData, d.BitsStored, d.HighBit, d.PixelRepresentation
    d.BitsAllocated, floats = 32, np.float32(OBLIQUE.stored) / 7
    d.FloatPixelData = floats.tobytes()
    volume = read_volume([write(tmp_path / "a.dcm", d)])
    assert volume.storage == "float32"
    np.testing.assert_array_equal(volume.array, floats)


def test_damaged_headers_are_volumes_or_refusals(tmp_path: Path):
    rng, path = np.random.default_rng(7), tmp_path / "a.dcm"
    whole = write(path, multiframe(replace(OBLIQUE, stored=noise(3, 4, 5), rescale=PER_SLICE[:3]))).read_bytes()
    codes = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(400, len(whole), rng.integers(1, 6)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            for part in series_parts([path]):
                assert np.isfinite(read_part(part).affine_ras).all()
        except DicomError as error:
            codes.add(error.code)
    assert codes <= set(CODES)
    assert len(codes) > 4


def real(*names: str) -> list[Path]:
    found = [pydicom.data.get_testdata_file(name, download=False) for name in names]
    if None in found:
        pytest.skip("needs pydicom's test files")
    return [Path(str(name)) for name in found]


def folder(name: str) -> list[Path]:
    return sorted((Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / name).iterdir())


def test_real_slices_make_a_volume():
    volume = read_volume(folder("98892001/CT5N"))
    assert volume.array.shape == (5, 16, 16)
    np.testing.assert_allclose(np.diag(volume.affine_ras), [0, -0.488281, 0, 1])
    np.testing.assert_allclose(volume.affine_ras[:3, 3], [72.199997, 143, -1.2375])
    below = pydicom.dcmread(folder("98892001/CT5N")[-1])
    np.testing.assert_array_equal(volume.values[0], below.pixel_array - 1024.0)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("77654033/CT2", "E-GAP", "161 slices are missing: slices lie 1.25 mm apart, but 202.5 mm from"),
        ("98892001/CT2N", "E-ORIENTATION", r"0\-1\0\0\0\-1"),  # two localizers
        ("98892003/MR700", "E-ORIENTATION", "ImageOrientationPatient"),  # projections of a vessel, turned
    ],
)
def test_real_series_that_are_no_volume_are_refused(name: str, code: str, said: str):
    error = refusal(folder(name))
    assert (error.code, said in error.reason) == (code, True)


def test_a_dose_grid_is_offset_along_its_normal():
    (path,) = real("rtdose.dcm")
    volume, d = read_volume([path]), pydicom.dcmread(path)
    np.testing.assert_allclose(np.abs(volume.affine_ras[:3, :3]).max(axis=0), [5, 10, 10])
    assert (volume.array.dtype, volume.slope, volume.unit) == (np.uint32, 1e-6, "RELATIVE")
    np.testing.assert_allclose(volume.values, d.pixel_array * 1e-6)


def test_a_dose_grid_by_the_patients_z_is_the_same(tmp_path: Path):
    (path,) = real("rtdose.dcm")
    d = pydicom.dcmread(path)
    d.GridFrameOffsetVector = [d.ImagePositionPatient[2] + offset for offset in d.GridFrameOffsetVector]
    d.save_as(tmp_path / "z.dcm")
    np.testing.assert_array_equal(read_volume([tmp_path / "z.dcm"]).affine_ras, read_volume([path]).affine_ras)
    d.GridFrameOffsetVector = [offset + 1 for offset in d.GridFrameOffsetVector]
    d.save_as(tmp_path / "bad.dcm")
    assert refusal([tmp_path / "bad.dcm"]).code == "E-GEOMETRY"


@pytest.mark.parametrize("sign", [1, -1])
def test_reconstructed_spect_lies_behind_its_first_slice_or_before_it(tmp_path: Path, sign: int):
    """PS3.3 C.8.4.15: the sign of SpacingBetweenSlices says on which side of the first frame the others lie."""
    d = multiframe(OBLIQUE, EnhancedMRImageStorage, range(7)[::sign])
    del d.PerFrameFunctionalGroupsSequence, d.SharedFunctionalGroupsSequence
    detector = Dataset()
    detector.ImagePositionPatient = OBLIQUE.position(0 if sign == 1 else 6)
    detector.ImageOrientationPatient = [f"{v:.10f}" for v in OBLIQUE.cosines]
    d.SOPClassUID, d.Modality, d.ImageType = (
        NuclearMedicineImageStorage,
        "NM",
        ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
    )
    d.DetectorInformationSequence, d.SliceVector = [detector], list(range(1, 8))
    d.PixelSpacing, d.SpacingBetweenSlices = list(OBLIQUE.spacing_mm[1:]), sign * OBLIQUE.spacing_mm[0]
    d.RescaleSlope, d.RescaleIntercept = OBLIQUE.rescale[0]
    assert_is(read_volume([write(tmp_path / "a.dcm", d)]), OBLIQUE)


def test_real_mosaics_and_frames_without_place_are_refused():
    assert refusal(real("emri_small.dcm")).code == "E-NO-GEOMETRY"
    nibabel = pytest.importorskip("nibabel")
    mosaics = [Path(nibabel.__file__).parent / "nicom" / "tests" / "data" / f"{n}.dcm" for n in (0, 1)]
    assert "a mosaic" in refusal(mosaics).reason
