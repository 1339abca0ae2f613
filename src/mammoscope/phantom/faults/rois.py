"""Faults of masks and crops. A planter returns the rows concerned."""

import numpy as np

from mammoscope.dicom.read import read_pixels
from mammoscope.dicom.write import rewrite_pixels
from mammoscope.phantom.faults.bed import Bed


def swapped_mask(bed: Bed) -> list[str]:
    """Files that kept the names of the case descriptions, each under the other's: the sign that survives a download."""
    case = bed.cases[0]
    mask, crop = bed.mask(case), bed.crop(case)
    mask.rename(mask.with_name(case.crop_path.rpartition("/")[2]))
    crop.rename(crop.with_name(case.mask_path.rpartition("/")[2]))
    return [case.key]


def mask_size(bed: Bed) -> list[str]:
    """As if it belonged to a film that was scanned at half the resolution."""
    case = bed.cases[0]
    pixels, _ = read_pixels(bed.mask(case))
    rewrite_pixels(bed.mask(case), np.ascontiguousarray(pixels[::2, ::2]))
    return [case.key]


def mask_values(bed: Bed) -> list[str]:
    """An empty mask, and one whose border is grey, as after a resize that interpolates."""
    first, second = bed.cases
    pixels, _ = read_pixels(bed.mask(first))
    rewrite_pixels(bed.mask(first), np.zeros_like(pixels))
    pixels, _ = read_pixels(bed.mask(second))
    halves = pixels // 2
    rewrite_pixels(bed.mask(second), halves + np.roll(halves, 1, axis=1))
    return [first.key, second.key]


def crop_size(bed: Bed) -> list[str]:
    case = bed.cases[0]
    pixels, _ = read_pixels(bed.crop(case))
    rewrite_pixels(bed.crop(case), np.ascontiguousarray(pixels[3:-3, 3:-3]))
    return [case.key]
