"""Grey values of films, planted and known."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.greys import film_grey

Said = tuple[Dataset, ImageFacts]


def facts(bits: int = 12, signed: bool = False, photometric: str = "MONOCHROME2", **elements: object) -> Said:
    d = Dataset()
    for keyword, value in elements.items():
        setattr(d, keyword, value)
    return d, ImageFacts(
        rows_px=1,
        columns_px=4,
        frames=1,
        samples_per_pixel=1,
        bits_allocated=16,
        bits_stored=bits,
        high_bit=bits - 1,
        is_signed=signed,
        is_float=False,
        photometric=photometric,
        planar_configuration=None,
        transfer_syntax=ExplicitVRLittleEndian,
        sop_class="",
        modality="MG",
    )


def grey_image(pixels: np.ndarray, said: Said) -> np.ndarray:
    return film_grey(pixels, *said, Path("film"))


def lut(first: int, values: list[int], depth: int) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(values), first, depth])
    item.add_new("LUTData", "US", values)
    return item


RAMP = np.array([[0, 1000, 2000, 4095]], np.uint16)


def test_monochrome1_is_inverted_once_over_the_range_of_the_bits():
    assert grey_image(RAMP, facts(photometric="MONOCHROME1")).tolist() == [[4095, 3095, 2095, 0]]
    signed = np.array([[-2048, 0, 2047]], np.int16)
    assert grey_image(signed, facts(signed=True, photometric="MONOCHROME1")).tolist() == [[2047, -1, -2048]]


def test_inversion_does_not_depend_on_the_picture():
    dark = facts(photometric="MONOCHROME1")
    assert grey_image(RAMP[:, 1:3], dark).tolist() == grey_image(RAMP, dark)[:, 1:3].tolist()


def test_window_is_linear_between_its_ends():
    image = grey_image(RAMP, facts(WindowCenter=1500.5, WindowWidth=1001))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, [[0, 0, 4095, 4095]])
    np.testing.assert_allclose(
        grey_image(np.array([[1500]], np.uint16), facts(WindowCenter=1500.5, WindowWidth=1001)), 2047.5
    )


def test_the_first_of_several_windows():
    several = grey_image(RAMP, facts(WindowCenter=[1500, 3000], WindowWidth=[2000, 10]))
    np.testing.assert_array_equal(several, grey_image(RAMP, facts(WindowCenter=1500, WindowWidth=2000)))


def test_sigmoid_keeps_order_and_range():
    image = grey_image(RAMP, facts(WindowCenter=2000, WindowWidth=1000, VOILUTFunction="SIGMOID"))[0]
    assert (np.diff(image) > 0).all()
    assert 0 < image[0] < image[-1] < 4095
    assert image[2] == pytest.approx(2047.5)


def test_monochrome1_with_window_is_inverted_after_it():
    bright = grey_image(RAMP, facts(WindowCenter=2000, WindowWidth=3000))
    dark = grey_image(RAMP, facts(WindowCenter=2000, WindowWidth=3000, photometric="MONOCHROME1"))
    np.testing.assert_allclose(dark, 4095 - bright, atol=1e-3)


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_voi_lut_of_any_depth_and_length(depth):
    """4096 entries of 8 bit: pydicom alone wraps the index."""
    entries = [min(i // 16, 2**depth - 1) for i in range(4096)]
    image = grey_image(RAMP, facts(VOILUTSequence=[lut(0, entries, depth)]))
    np.testing.assert_allclose(image, np.array([[0, 62, 125, 255]]) * 4095 / (2**depth - 1), rtol=1e-6)


def test_voi_lut_clips_at_its_ends_and_may_start_anywhere():
    entries = [10, 20, 30]
    image = grey_image(RAMP, facts(VOILUTSequence=[lut(1000, entries, 8)]))
    np.testing.assert_allclose(image, np.array([[10, 10, 30, 30]]) * 4095 / 255, rtol=1e-6)
    signed = np.array([[-3, -2, -1, 5]], np.int16)
    image = grey_image(signed, facts(signed=True, VOILUTSequence=[lut(-2, entries, 8)]))
    np.testing.assert_allclose(image, np.array([[10, 10, 20, 30]]) * 4095 / 255 - 2048, rtol=1e-6)


def test_voi_lut_wins_over_a_window_and_follows_the_rescale():
    both = facts(
        VOILUTSequence=[lut(0, [7, 8, 9], 8)], WindowCenter=100, WindowWidth=50, RescaleSlope=0.001, RescaleIntercept=0
    )
    np.testing.assert_allclose(grey_image(RAMP, both), np.array([[7, 8, 9, 9]]) * 4.095 / 255, rtol=1e-6)


def test_modality_lut_with_a_negative_first_value():
    image = grey_image(RAMP, facts(ModalityLUTSequence=[lut(-1, [5, 6, 7], 16)]))
    assert image.tolist() == [[6, 7, 7, 7]]


def test_modality_lut_then_window_then_inversion():
    chain = {
        "ModalityLUTSequence": [lut(0, list(range(0, 4096 * 4, 4)), 16)], "WindowCenter": 8000, "WindowWidth": 8000,
    }  # fmt: skip
    bright = grey_image(RAMP, facts(**chain))
    np.testing.assert_allclose(grey_image(RAMP, facts(photometric="MONOCHROME1", **chain)), 65535 - bright, atol=0.01)


def test_rescale_keeps_sixteen_bits_apart():
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = grey_image(pixels, facts(bits=16, RescaleSlope=1, RescaleIntercept=-1024))
    np.testing.assert_array_equal(image, pixels.astype(np.float64) - 1024)
    assert len(np.unique(grey_image(pixels, facts(bits=16, photometric="MONOCHROME1")))) == 65536


def test_nothing_is_copied_where_nothing_is_changed():
    assert grey_image(RAMP, facts()) is RAMP
    assert grey_image(RAMP, facts(RescaleSlope=1, RescaleIntercept=0)) is RAMP


def test_an_inverse_presentation_is_inverted_once():
    inverse = grey_image(RAMP, facts(photometric="MONOCHROME1", PresentationLUTShape="INVERSE"))
    assert inverse.tolist() == [[4095, 3095, 2095, 0]]


def test_a_large_film_and_a_small_one_have_the_same_levels():
    window = {"WindowCenter": 1500.5, "WindowWidth": 1001, "RescaleSlope": 2, "RescaleIntercept": -7}
    large = grey_image(np.tile(RAMP, (20_000, 1)), facts(**window))
    assert large.dtype == np.float32
    np.testing.assert_array_equal(large, np.tile(grey_image(RAMP, facts(**window)), (20_000, 1)))
