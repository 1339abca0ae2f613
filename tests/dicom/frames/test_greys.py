"""What a display shows, against the standard's formulas, written out value by value."""

import math
from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import BreastTomosynthesisImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from mammoscope.dicom.read import read_film

from ..images import compressed, display, image, modality, refusal, written

Write = Callable[[Dataset | bytes], Path]
VALUES = [0, 1, 999, 1000, 1001, 2000, 3000, 4095]
RAMP = np.array([VALUES], np.uint16)
WINDOWS = [(1500, 1000), (1500.5, 1001), (0, 2), (1000, 1), (4095, 8000), (-9, 3000)]
EMPTY = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PresentationLUTShape")

HIGHDICOM_ASKS_FOR = (
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


def grey(values: np.ndarray = RAMP, bits: int = 12, syntax: str = ExplicitVRLittleEndian, **changes: object) -> Dataset:
    return image(values, syntax, bits, **changes)


def lut(first: int, values: list[int], depth: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(values), first, depth])
    item.add_new("LUTData", "US", values)
    return item


def linear(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.2.1."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0
    if x > c - 0.5 + (w - 1) / 2:
        return 1
    return (x - (c - 0.5)) / (w - 1) + 0.5


def linear_exact(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0
    if x > c + w / 2:
        return 1
    return (x - c) / w + 0.5


def sigmoid(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.3.1."""
    return 1 / (1 + math.exp(min(-4 * (x - c) / w, 700)))


FORMULAS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


@pytest.mark.parametrize("function", FORMULAS)
@pytest.mark.parametrize(("center", "width"), WINDOWS)
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, -100), (-2, 3)])
def test_windows(write: Write, function: str, center: float, width: float, slope: float, intercept: float):
    window = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    path = write(grey(RescaleSlope=slope, RescaleIntercept=intercept, **window))
    expected = [[FORMULAS[function](x * slope + intercept, center, width) for x in VALUES]]
    np.testing.assert_allclose(display(path), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(modality(path), [[x * slope + intercept for x in VALUES]], rtol=0, atol=1e-12)


def test_linear_is_meant_where_no_function_is_said(write: Write):
    path = write(grey(WindowCenter=1500, WindowWidth=1000, VOILUTFunction=""))
    np.testing.assert_allclose(display(path), [[linear(x, 1500, 1000) for x in VALUES]])


def test_without_a_window_all_that_can_be_stored_is_spread_whatever_the_picture(write: Write):
    np.testing.assert_allclose(display(write(grey())), RAMP / 4095)
    signed = np.array([[-2048, 0, 2047]], np.int16)
    np.testing.assert_allclose(display(write(grey(signed))), [[0, 2048 / 4095, 1]])
    np.testing.assert_allclose(display(write(grey(RescaleSlope=-3, RescaleIntercept=7))), 1 - RAMP / 4095)
    np.testing.assert_allclose(display(write(grey(bits=16))), RAMP / 65535)


def test_a_picture_of_any_size_is_shown_by_the_same_formula(write: Write):
    """Large ones by a table of all values that can be stored."""
    for dtype, bits in (("u2", 16), ("i2", 16), ("u2", 12), ("i1", 8)):
        info = np.iinfo(dtype)
        low, high = (info.min, info.max) if bits == 16 or dtype == "i1" else (0, 4095)
        values = np.random.default_rng(0).integers(low, high, (300, 300), dtype=dtype, endpoint=True)
        changes = {"WindowCenter": 100, "WindowWidth": 5000, "VOILUTFunction": "SIGMOID", "RescaleSlope": 1.5}
        whole = display(write(grey(values, bits, RescaleIntercept=-9, **changes)))
        part = display(write(grey(values[:3], bits, RescaleIntercept=-9, **changes)))
        np.testing.assert_array_equal(whole[:3], part)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "INVERSE", "both"])
def test_inverted_once(write: Write, kind: str):
    photometric = "MONOCHROME1" if kind != "INVERSE" else "MONOCHROME2"
    shape = {} if kind == "MONOCHROME1" else {"PresentationLUTShape": "INVERSE"}
    window = {"WindowCenter": 1500, "WindowWidth": 1000}
    inverted = display(write(grey(PhotometricInterpretation=photometric, **shape, **window)))
    np.testing.assert_allclose(inverted, 1 - display(write(grey(**window))))


def test_the_shape_is_the_later_word(write: Write):
    """Contradictory in the standard's eyes; highdicom and dcm4che go by the shape."""
    shown = display(write(grey(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")))
    np.testing.assert_allclose(shown, RAMP / 4095)


def test_several_windows_and_luts(write: Write):
    """VOI LUTs first, then windows."""
    changes = {
        "WindowCenter": [1000, 2000],
        "WindowWidth": [500, 3000],
        "VOILUTSequence": [lut(0, list(range(4096)), 12), lut(0, [0, 255], 8)],
    }
    path = write(grey(**changes))
    np.testing.assert_allclose(display(path, window=0), RAMP / 4095)
    np.testing.assert_allclose(display(path, window=1), RAMP > 0)
    np.testing.assert_allclose(display(path, window=3), [[linear(x, 2000, 3000) for x in VALUES]])
    for window in (4, -1):
        assert refusal(display, path, window=window)[0] == "E-GREY"
    assert refusal(display, write(grey()), window=1)[0] == "E-GREY"


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_voi_luts_of_any_depth(write: Write, depth: int, syntax: str):
    """4096 entries of 8 bit: pydicom wraps the index into them."""
    entries = [i * ((1 << depth) - 1) // 4095 for i in range(4096)]
    shown = display(write(grey(syntax=syntax, VOILUTSequence=[lut(0, entries, depth)])))
    np.testing.assert_allclose(shown, [[entries[x] / ((1 << depth) - 1) for x in VALUES]])


def test_modality_luts(write: Write):
    path = write(grey(ModalityLUTSequence=[lut(1000, [5, 60000, 7], 16)]))
    assert modality(path).tolist() == [[5, 5, 5, 5, 60000, 7, 7, 7]]
    np.testing.assert_allclose(display(path), modality(path) / 65535)
    signed = np.array([[-3, -1, 0, 1]], np.int16)
    assert modality(write(grey(signed, ModalityLUTSequence=[lut(-1, [5, 6, 7], 16)]))).tolist() == [[5, 5, 6, 7]]


def test_a_voi_lut_may_begin_below_0_where_values_can(write: Write):
    """0xFFFF is -1 after a rescale to Hounsfield units, and 65535 without one."""
    item = lut(65535, [0, 255], 8)
    assert display(write(grey(VOILUTSequence=[item]))).tolist() == [[0] * 8]
    hounsfield = display(write(grey(VOILUTSequence=[item], RescaleSlope=1, RescaleIntercept=-1000)))
    assert hounsfield.tolist() == [[0, 0, 0, 1, 1, 1, 1, 1]]


FORBIDDEN = {
    "half a window": {"WindowCenter": 500},
    "the other half": {"WindowWidth": 500},
    "no width": {"WindowCenter": 500, "WindowWidth": 0},
    "less than one value": {"WindowCenter": 500, "WindowWidth": 0.5},
    "no exact width": {"WindowCenter": 500, "WindowWidth": 0, "VOILUTFunction": "LINEAR_EXACT"},
    "an unknown function": {"WindowCenter": 500, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
    "more centers than widths": {"WindowCenter": [1, 2], "WindowWidth": 9},
    "half a rescale": {"RescaleSlope": 2},
    "no slope": {"RescaleSlope": 0, "RescaleIntercept": 2},
    "a shape that no display has": {"PresentationLUTShape": "LIN OD"},
    "a LUT without data": {"VOILUTSequence": [Dataset()]},
    "a LUT of 8 bits with an entry of 9": {"VOILUTSequence": [lut(0, [300], 8)]},
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_the_standard_forbids_is_refused(write: Write, name: str):
    assert refusal(display, write(grey(**FORBIDDEN[name])))[0] == "E-GREY"


def test_empty_means_absent(write: Write):
    empty = dict.fromkeys(
        ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PresentationLUTShape"), ""
    )
    path = write(grey(**empty, VOILUTSequence=Sequence(), ModalityLUTSequence=Sequence()))
    np.testing.assert_allclose(display(path), RAMP / 4095)


def macro(keyword: str, **elements: object) -> Dataset:
    item, group = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    setattr(group, keyword, [item])
    return group


def rescale(slope: float, intercept: float) -> Dataset:
    return macro("PixelValueTransformationSequence", RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")


def test_functional_groups_of_each_frame_win_over_shared_ones_and_those_over_the_top(write: Write):
    """pydicom's apply_modality_lut looks at the top alone: tomosynthesis then has no rescale at all."""
    frames = [RAMP, RAMP, RAMP]
    top = {"RescaleSlope": 7, "RescaleIntercept": 7}
    own = [rescale(2, -1), rescale(3, -2), rescale(4, -3)]
    shared = {"SharedFunctionalGroupsSequence": [rescale(9, 9)], **top}
    path = write(grey(frames, PerFrameFunctionalGroupsSequence=own, **shared))
    for n, (slope, intercept) in enumerate([(2, -1), (3, -2), (4, -3)]):
        np.testing.assert_array_equal(modality(path, n), RAMP * float(slope) + intercept)
        np.testing.assert_allclose(display(path, n), RAMP / 4095)
    np.testing.assert_array_equal(modality(write(grey(frames, **shared)), 2), RAMP * 9.0 + 9)
    np.testing.assert_array_equal(modality(write(grey(frames, **top)), 2), RAMP * 7.0 + 7)


def test_windows_of_each_frame(write: Write):
    own = [macro("FrameVOILUTSequence", WindowCenter=c, WindowWidth=1000) for c in (1000, 2000)]
    own[1].FrameVOILUTSequence[0].VOILUTFunction = "SIGMOID"
    path = write(grey([RAMP, RAMP], PerFrameFunctionalGroupsSequence=own, WindowCenter=5, WindowWidth=5))
    np.testing.assert_allclose(display(path, 0), [[linear(x, 1000, 1000) for x in VALUES]])
    np.testing.assert_allclose(display(path, 1), [[sigmoid(x, 2000, 1000) for x in VALUES]])


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
def test_breast_tomosynthesis_as_highdicom_reads_it(write: Write, function: str, syntax: str):
    """Of LINEAR windows highdicom is off by up to 0.0014 where the slope is not 1; see the formula above."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 4096, (64, 48)).astype(np.uint16) for _ in range(3)]
    own = [rescale(1 + n / 2, -100 * n) for n in range(3)]
    for n, group in enumerate(own):
        window = {"WindowCenter": 1000 + n * 300, "WindowWidth": 800 + n, "VOILUTFunction": function}
        group.update(macro("FrameVOILUTSequence", **window))
    make = image if syntax == ExplicitVRLittleEndian else compressed
    d = make(frames, syntax, 12, PerFrameFunctionalGroupsSequence=own, SharedFunctionalGroupsSequence=[Dataset()])
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    d.PatientID, d.FrameOfReferenceUID = "P", "1.2.9"
    for keyword in HIGHDICOM_ASKS_FOR:
        setattr(d, keyword, "")
    path = write(d)
    theirs = highdicom.imread(path)
    for n in range(3):
        raw = {"apply_voi_transform": False, "apply_presentation_lut": False, "apply_real_world_transform": False}
        np.testing.assert_allclose(modality(path, n), theirs.get_frame(n + 1, **raw), rtol=0, atol=1e-12)
        shown = theirs.get_frame(n + 1, apply_voi_transform=True, apply_real_world_transform=False)
        np.testing.assert_allclose(display(path, n), shown, rtol=0, atol=1e-12)


def test_functional_groups_of_other_frames_than_there_are(write: Write):
    path = write(grey([RAMP, RAMP], PerFrameFunctionalGroupsSequence=[rescale(2, -1)]))
    assert refusal(modality, path)[0] == "E-FRAMES"


def test_a_film_s_functional_groups_count_too(write: Write):
    film = read_film(write(grey(SharedFunctionalGroupsSequence=[rescale(2, -1)])))
    np.testing.assert_array_equal(film.image, RAMP * 2.0 - 1)
    np.testing.assert_array_equal(film.raw, RAMP)


def test_colours_have_no_values_of_a_modality(write: Write):
    assert refusal(modality, write(image(np.zeros((2, 2, 3), np.uint8))))[0] == "E-COLOR"
