"""Faults of what a file holds. A planter returns the rows concerned."""

import os

from mammoscope.dicom.read import read_pixels
from mammoscope.dicom.write import rewrite, rewrite_compressed, rewrite_pixels
from mammoscope.phantom.faults.bed import Bed
from mammoscope.vocabulary import Laterality

JPEG_2000_PART_2, RLE = "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.5"
NO_SEGMENTS = bytes(64)  # the header of an RLE frame (PS3.5 G.5), which says that nothing follows
ERROR_PAGE = b"<!DOCTYPE html>\n<html><body><h1>503 Service Unavailable</h1></body></html>\n"
GAIN, NOISE = 0.97, 250  # of a second digitisation of the same film


def truncated(bed: Bed) -> list[str]:
    """A film that ends in its pixels, and a mask that ends in its header."""
    first, second = bed.cases
    film, mask = bed.film(first), bed.mask(second)
    os.truncate(film, film.stat().st_size // 2)
    os.truncate(mask, 700)
    return [bed.name(film), bed.name(mask)]


def syntax(bed: Bed) -> list[str]:
    """A film in a transfer syntax for which nobody has a decoder, and one whose stream is damaged."""
    first, second = (bed.film(case) for case in bed.cases)
    rewrite_compressed(first, JPEG_2000_PART_2, b"\xff\x4f\xff\x51" + bytes(64))
    rewrite_compressed(second, RLE, NO_SEGMENTS + bytes(64))
    return [bed.name(first), bed.name(second)]


def unreadable(bed: Bed) -> list[str]:
    """What a download leaves behind: a server's error page in place of a film, a crop of no bytes."""
    first, second = bed.cases
    film, crop = bed.film(first), bed.crop(second)
    film.write_bytes(ERROR_PAGE)
    crop.write_bytes(b"")
    return [bed.name(film), bed.name(crop)]


def monochrome1(bed: Bed) -> list[str]:
    path = bed.film(bed.cases[0])
    pixels, _ = read_pixels(path)
    rewrite_pixels(path, ~pixels)
    rewrite(path, PhotometricInterpretation="MONOCHROME1")
    return [bed.name(path)]


def near_duplicate(bed: Bed) -> list[str]:
    """The second patient has the first one's films; here they come out of the scanner a second time."""
    for case in bed.patients[1].cases:
        path = bed.film(case)
        pixels, _ = read_pixels(path)
        again = GAIN * pixels + bed.rng.normal(0, NOISE, pixels.shape)
        rewrite_pixels(path, again.clip(0, 65535).astype(pixels.dtype))
    return [case.mammogram for case in bed.cases]


def laterality(bed: Bed) -> list[str]:
    """In the headers of a film, and of mask and crop on the film of the other view."""
    other = "R" if bed.cases[0].laterality is Laterality.left else "L"
    return _contradict(bed, "Laterality", other, other)


def view(bed: Bed) -> list[str]:
    """As `laterality`; in CBIS-DDSM the view stands in PatientOrientation."""
    first, second = bed.cases
    return _contradict(bed, "PatientOrientation", second.view.value, first.view.value)


def patient_id(bed: Bed) -> list[str]:
    """As `laterality`: they name a patient whom nobody knows."""
    return _contradict(bed, "PatientID", "Mass-Training_P_99999_LEFT_CC", "Mass-Training_P_99999_LEFT_CC_1")


def _contradict(bed: Bed, keyword: str, of_film: str, of_roi: str) -> list[str]:
    first, second = bed.cases
    rewrite(bed.film(first), **{keyword: of_film})
    for path in (bed.mask(second), bed.crop(second)):
        rewrite(path, **{keyword: of_roi})
    return [first.mammogram, second.key]
