"""Grey values, planted and known."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mammoscope.dicom.frames.pixels import grey_facts, grey_image, stored_values


def facts(bits: int = 12, signed: bool = False, photometric: str = "MONOCHROME2", **elements: object) -> Dataset:
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.BitsStored, d.PixelRepresentation, d.PhotometricInterpretation = bits, int(signed), photometric
    for keyword, value in elements.items():
        setattr(d, keyword, value)
    return grey_facts(d, ExplicitVRLittleEndian)


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
    assert image.tolist() == [[0, 62, 125, 255]]


def test_voi_lut_clips_at_its_ends_and_may_start_anywhere():
    entries = [10, 20, 30]
    assert grey_image(RAMP, facts(VOILUTSequence=[lut(1000, entries, 8)])).tolist() == [[10, 10, 30, 30]]
    signed = np.array([[-3, -2, -1, 5]], np.int16)
    image = grey_image(signed, facts(signed=True, VOILUTSequence=[lut(-2, entries, 8)]))
    assert image.tolist() == [[10, 10, 20, 30]]


def test_voi_lut_wins_over_a_window_and_follows_the_rescale():
    both = facts(
        VOILUTSequence=[lut(0, [7, 8, 9], 8)], WindowCenter=100, WindowWidth=50, RescaleSlope=0.001, RescaleIntercept=0
    )
    assert grey_image(RAMP, both).tolist() == [[7, 8, 9, 9]]


def test_modality_lut_with_a_negative_first_value():
    image = grey_image(RAMP, facts(ModalityLUTSequence=[lut(-1, [5, 6, 7], 16)]))
    assert image.tolist() == [[6, 7, 7, 7]]


def test_modality_lut_then_window_then_inversion():
    chain = facts(ModalityLUTSequence=[lut(0, list(range(0, 4096 * 4, 4)), 16)], WindowCenter=8000, WindowWidth=8000)
    bright = grey_image(RAMP, chain)
    chain.PhotometricInterpretation = "MONOCHROME1"
    np.testing.assert_allclose(grey_image(RAMP, chain), 65535 - bright, atol=0.01)


def test_rescale_keeps_sixteen_bits_apart():
    pixels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = grey_image(pixels, facts(bits=16, RescaleSlope=1, RescaleIntercept=-1024))
    np.testing.assert_array_equal(image, pixels.astype(np.float64) - 1024)
    assert len(np.unique(grey_image(pixels, facts(bits=16, photometric="MONOCHROME1")))) == 65536


def test_stored_values_leave_their_input_alone():
    container = np.array([[0xF001]], np.uint16)
    assert stored_values(container, 12, is_signed=False).tolist() == [[1]]
    assert container.tolist() == [[0xF001]]
    assert stored_values(np.array([[0xFF]], np.uint8), 8, is_signed=True).tolist() == [[-1]]
