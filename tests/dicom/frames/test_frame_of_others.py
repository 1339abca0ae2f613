"""All images that pydicom, pydicom-data, pynetdicom and nibabel bring: as pydicom, highdicom and their twins say.

Every exception stands in a table, with its reason.
"""

import importlib.util
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import get_decoder
from pydicom.uid import ExplicitVRBigEndian

from mammoscope.dicom.frames.facts import GREY, PALETTE, ImageFacts
from mammoscope.dicom.frames.frame import display_frame, image_facts, modality_frame, stored_frames
from mammoscope.dicom.layout import open_dicom
from mammoscope.errors import DicomError

from ..images import opened, refusal, stored

PACKAGES = ("pydicom", "data_store", "pynetdicom", "nibabel")

REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": ("E-SIZE", "its stream was damaged on purpose: 3722445056 columns"),
    "MR_small_padded.dcm": ("E-SIZE", "128 bytes behind its pixels that nothing explains"),
    "MR_truncated.dcm": ("E-TRUNCATED", "cut within its pixels; pydicom pads them"),
    "emri_small_jpeg_2k_lossless_too_short.dcm": ("E-TRUNCATED", "cut within its fragments"),
    "rtplan_truncated.dcm": ("E-TRUNCATED", "cut, and no image"),
    "badVR.dcm": ("E-HEADER", "NumberOfFrames is 1A"),
    "meta_missing_tsyntax.dcm": ("E-HEADER", "pixels of no image: nothing describes them"),
    "nested_priv_SQ.dcm": ("E-HEADER", "pixels of no image: nothing describes them"),
}
NO_GREY = {
    "liver_1frame.dcm": "cut down from three frames, whose functional groups are still there",
    "liver_expb_1frame.dcm": "the same",
}
HIGHDICOM_CANNOT = {
    "SC_rgb_small_odd.dcm": "an item of a sequence lacks an element that highdicom asks for",
    "color-pl.dcm": "a retired SOP class, of which highdicom has no IOD",
    "color-px.dcm": "a retired SOP class, of which highdicom has no IOD",
    "gdcm-US-ALOKA-16.dcm": "a palette in segments",
    "decimal_rescale.dcm": "no SOPClassUID",
}
HIGHDICOM_DIFFERS = {
    "mlut_18.dcm": "signed values of 12 bits into a modality LUT that begins at -2048; see below",
    **dict.fromkeys(
        ("6154", "6247", "6278", "MR2_J2KI.dcm", "MR2_J2KR.dcm", "MR2_UNCI.dcm", "MR2_UNCR.dcm"),
        "a LINEAR window over a rescale whose slope is not 1: highdicom takes the half and the one of C.11.2.1.2.1 "
        "from stored values",
    ),
}

ENHANCED = ("eCT_Supplemental.dcm",)  # whose windows stand in functional groups

# uncompressed -> the same pixels otherwise encoded
TWINS = {
    "MR_small": [f"MR_small_{k}" for k in ("RLE", "jp2klossless", "jpeg_ls_lossless", "bigendian", "expb", "implicit")],
    "emri_small": [f"emri_small_{k}" for k in ("RLE", "jpeg_2k_lossless", "jpeg_ls_lossless", "big_endian")],
    "liver": ["liver_expb"],
    "gdcm-US-ALOKA-16": ["gdcm-US-ALOKA-16_big"],
    "SC_rgb_small_odd": ["SC_rgb_small_odd_big_endian"],
    "JPEG2000_UNC": ["JPEG2000"],
    **{f"{name}_UNC{kind}": [f"{name}_J2K{kind}"] for name in ("693", "MR2", "RG1", "RG3", "US1") for kind in "RI"},
    **{
        f"{name}{rest}": [f"{name}_rle{rest}", f"{name}_expb{rest}"]
        for name, rests in {
            "SC_rgb": ("", "_16bit", "_32bit", "_2frame", "_16bit_2frame", "_32bit_2frame"),
            "OBXXXX1A": ("", "_2frame"),
            "rtdose": ("", "_1frame"),
        }.items()
        for rest in rests
    },
    **{
        f"SC_rgb_dcmtk_eb{name.replace('+', '')}_dcmd": [f"SC_rgb_dcmtk_+eb+{name}"]
        for name in ("cr", "cy+n1", "cy+n2", "cy+np", "cy+s2", "cy+s4")
    },
}


def installed() -> Iterator[Path]:
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        assert found is not None, package
        assert found.submodule_search_locations
        yield from sorted(p for p in Path(found.submodule_search_locations[0]).rglob("*") if p.is_file())


@cache
def images() -> dict[str, list[Path]]:
    """By file name: what has pixels or should have them."""
    by_name: dict[str, list[Path]] = {}
    for path in installed():
        try:
            with open_dicom(path) as layout:
                image_facts(layout, path)
        except DicomError as error:
            if error.code in ("E-NOT-DICOM", "E-NO-PIXELS"):
                continue
        by_name.setdefault(path.name, []).append(path)
    return by_name


def named(name: str) -> Path:
    return images()[name][0]


def test_what_is_refused_and_why():
    for name, (code, _) in REFUSED.items():
        for path in images()[name]:
            assert refusal(stored, path)[0] == code
    assert sum(len(paths) for paths in images().values()) == 187


def shown(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Stored values, and in colour what is shown, as twins may be RGB here and YBR there."""
    with opened(path) as (layout, facts):
        frames = np.stack(list(stored_frames(layout, facts, path)))
        if facts.samples_per_pixel == 1:
            return frames, frames
        return frames, np.stack([display_frame(layout, facts, path, n) for n in range(facts.frames)])


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in TWINS.items() for other in others])
def test_twins(name: str, other: str):
    np.testing.assert_array_equal(shown(named(f"{name}.dcm"))[1], shown(named(f"{other}.dcm"))[1])


def decodable() -> Iterator[Path]:
    for name, paths in images().items():
        if name not in REFUSED:
            yield from paths


def by_pydicom(path: Path, facts: ImageFacts) -> np.ndarray:
    d = dcmread(path)
    return (
        get_decoder(facts.transfer_syntax)
        .as_array(d, raw=True)[0]
        .reshape((facts.frames, facts.rows_px, facts.columns_px, *([3] if facts.samples_per_pixel == 3 else [])))
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_stored_values_are_those_of_pydicom():
    """With whatever decoder it finds first."""
    compared = 0
    for path in decodable():
        with opened(path) as (layout, facts):
            ours = np.stack(list(stored_frames(layout, facts, path)))
        if facts.transfer_syntax == "1.2.840.10008.1.2.4.51":
            continue  # JPEG Extended of 12 bits: pydicom has no decoder of it but ours
        np.testing.assert_array_equal(ours, by_pydicom(path, facts), err_msg=str(path))
        compared += 1
    assert compared == 177


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_grey_values_and_colours_are_those_of_highdicom():
    agreed = {"modality": 0, "display": 0, "colour": 0}
    cannot, differs = set(), set()
    for path in decodable():
        with opened(path) as (layout, facts):
            n = facts.frames - 1
            if facts.transfer_syntax == ExplicitVRBigEndian or path.name in NO_GREY:
                continue  # highdicom reads little endian alone
            try:
                image = highdicom.imread(path)
                if facts.photometric not in GREY:
                    assert_same_colours(image, layout, facts, path)
                    agreed["colour"] += 1
                    continue
                theirs = image.get_frame(
                    n + 1, apply_voi_transform=False, apply_presentation_lut=False, apply_real_world_transform=False
                )
                if not np.allclose(theirs, modality_frame(layout, facts, path, n), rtol=0, atol=1e-9):
                    differs.add(path.name)
                    continue
                agreed["modality"] += 1
                if path.name not in ENHANCED and not {"WindowCenter", "VOILUTSequence"} & {e.keyword for e in image}:
                    continue
                theirs = image.get_frame(n + 1, apply_voi_transform=True, apply_real_world_transform=False)
                if np.allclose(theirs, display_frame(layout, facts, path, n), rtol=0, atol=1e-9):
                    agreed["display"] += 1
                else:
                    assert np.abs(theirs - display_frame(layout, facts, path, n)).max() < 0.0014
                    differs.add(path.name)
            except (AttributeError, KeyError, RuntimeError):
                cannot.add(path.name)
    assert cannot == set(HIGHDICOM_CANNOT)
    assert differs == set(HIGHDICOM_DIFFERS)
    assert min(agreed.values()) > 50, agreed


def assert_same_colours(image: highdicom.Image, layout, facts: ImageFacts, path: Path) -> None:
    theirs = image.get_frame(facts.frames, dtype=np.uint16, apply_icc_profile=False)
    bits = 16 if facts.photometric == PALETTE and theirs.max() > 255 else 8
    ours = display_frame(layout, facts, path, facts.frames - 1)
    np.testing.assert_array_equal(ours, theirs >> bits - 8 if facts.bits_stored <= 8 or bits == 16 else theirs >> 8)


def test_mlut_18_by_the_formula():
    """Where highdicom differs: the LUT's first value is -2048, and so is the least that 12 bits can store."""
    path = named("mlut_18.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        item = dcmread(path).ModalityLUTSequence[0]
        count, first, _ = item.LUTDescriptor
        data = item.LUTData
    with opened(path) as (layout, facts):
        values = modality_frame(layout, facts, path, 0)
    entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.array(data)
    expected = entries[np.clip(stored(path).astype(int) - first, 0, (count or 65536) - 1)]
    np.testing.assert_array_equal(values, expected)
