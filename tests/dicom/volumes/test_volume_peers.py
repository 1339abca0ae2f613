"""Our volumes beside highdicom's and dcm2niix's, voxel by voxel at the same place in the patient."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import BreastTomosynthesisImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage

from mammoscope.dicom.volumes.nifti import write_nifti
from mammoscope.dicom.volumes.volume import Volume, read_volume
from mammoscope.errors import DicomError

from .stacks import OBLIQUE, assert_same_in_world, multiframe, noise, write, write_series
from .test_volume import PER_SLICE, SHUFFLED, folder, real

DCM2NIIX = Path(sys.executable).with_name("dcm2niix")
RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
STACKS = {
    "oblique": OBLIQUE,
    "rescaled by the slice": replace(OBLIQUE, rescale=PER_SLICE),
    "signed": replace(OBLIQUE, stored=noise(7, 10, 12, dtype="int16", bits=16)),
    "fractions": replace(OBLIQUE, rescale=((0.25, -3.5),)),
    "sagittal": replace(OBLIQUE, angles=(90, 0, 90)),
    "flipped": replace(OBLIQUE, angles=(180, 0, 0), spacing_mm=(0.8, 1.5, 0.25)),
}


def assert_same_as_highdicom(volume: Volume, theirs: highdicom.Volume) -> None:
    assert_same_in_world(volume.values, volume.affine_ras, theirs.array, RAS_OF_LPS @ theirs.affine)


def dcm2niix(source: Path, output: Path) -> list[nibabel.Nifti1Image]:
    if not DCM2NIIX.exists():
        pytest.skip("needs the dcm2niix of the extra `dev`")
    output.mkdir()
    command = [DCM2NIIX, "-b", "n", "-z", "n", "-f", "%j", "-o", output, source]
    subprocess.run(command, check=False, capture_output=True, timeout=60)  # its status is 1 after a warning, too
    return [nibabel.Nifti1Image.from_filename(path) for path in sorted(output.glob("*.nii"))]


def assert_same_as_dcm2niix(volume: Volume, source: Path, output: Path) -> None:
    (theirs,) = dcm2niix(source, output)
    assert_same_in_world(volume.values, volume.affine_ras, np.asanyarray(theirs.dataobj), theirs.affine)


SERIES = [("oblique", None), ("oblique", range(6, -1, -1)), *((name, SHUFFLED) for name in STACKS)]
FRAMES = [
    *(("tomosynthesis", BreastTomosynthesisImageStorage, name, SHUFFLED) for name in STACKS),
    ("tomosynthesis", BreastTomosynthesisImageStorage, "oblique", None),
    ("CT", EnhancedCTImageStorage, "oblique", None),
    ("CT", EnhancedCTImageStorage, "rescaled by the slice", SHUFFLED),
    ("MR", EnhancedMRImageStorage, "rescaled by the slice", range(6, -1, -1)),
]


@pytest.mark.parametrize(("name", "order"), SERIES)
def test_a_series(tmp_path: Path, name: str, order: list[int] | None):
    paths = write_series(tmp_path / "in", STACKS[name], order)
    volume = read_volume(paths)
    assert_same_as_highdicom(volume, highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths]))
    assert_same_as_dcm2niix(volume, tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(("kind", "sop_class", "name", "order"), FRAMES)
def test_a_file_of_many_frames(tmp_path: Path, kind: str, sop_class: str, name: str, order: list[int] | None):
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in" / "a.dcm", multiframe(STACKS[name], sop_class, order))
    volume = read_volume([path])
    assert_same_as_highdicom(volume, highdicom.imread(path).get_volume(apply_real_world_transform=False))
    assert_same_as_dcm2niix(volume, tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("name", ["oblique", "rescaled by the slice", "signed", "flipped"])
def test_the_file_that_we_write_is_what_dcm2niix_writes(tmp_path: Path, name: str):
    volume = read_volume(write_series(tmp_path / "in", STACKS[name]))
    write_nifti(tmp_path / "ours.nii.gz", volume)
    ours = nibabel.Nifti1Image.from_filename(tmp_path / "ours.nii.gz")
    (theirs,) = dcm2niix(tmp_path / "in", tmp_path / "out")
    for image in (ours, theirs):
        assert image.header.get_xyzt_units()[0] == "mm"
    for affine in (ours.get_sform(), ours.get_qform()):
        assert_same_in_world(np.asanyarray(ours.dataobj), affine, np.asanyarray(theirs.dataobj), theirs.affine)


def test_a_real_series(tmp_path: Path):
    paths = folder("98892001/CT5N")
    volume = read_volume(paths)
    assert_same_as_highdicom(volume, highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths]))
    assert_same_as_dcm2niix(volume, paths[0].parent, tmp_path / "out")


@pytest.mark.parametrize("name", ["eCT_Supplemental.dcm", "liver.dcm"])
def test_real_files_of_many_frames(tmp_path: Path, name: str):
    (path,) = real(name)
    volume = read_volume([path])
    if name != "liver.dcm":  # highdicom has other words for a segmentation
        theirs = highdicom.imread(path).get_volume(apply_real_world_transform=False)
        assert_same_as_highdicom(volume, theirs)
    (tmp_path / "in").mkdir()
    shutil.copy(path, tmp_path / "in")
    assert_same_as_dcm2niix(volume, tmp_path / "in", tmp_path / "out")


def test_where_we_refuse_and_others_go_on(tmp_path: Path):
    """A stack that leans by 2 degrees: highdicom straightens it without a word, 1.3 mm off at the top."""
    tall = replace(OBLIQUE, stored=noise(16, 10, 12))

    def lean(d: pydicom.Dataset, k: int) -> None:
        d.ImagePositionPatient = [round(v, 8) for v in np.array(tall.position(k)) + 0.0875 * k * tall.axes[:, 1]]

    paths = write_series(tmp_path / "in", tall, edit=lean)
    with pytest.raises(DicomError, match="E-SHEAR"):
        read_volume(paths)
    theirs = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    corners = np.array([theirs.affine @ [k, 0, 0, 1] for k in (0, 15)])[:, :3]
    true = np.array([pydicom.dcmread(paths[k]).ImagePositionPatient for k in (15, 0)], float)
    off_mm = min(np.linalg.norm(corners - t, axis=1).max() for t in (true, true[::-1]))
    assert off_mm == pytest.approx(0.0875 * 15, rel=0.01)


def test_a_missing_slice_is_refused_by_us_and_by_highdicom_and_closed_up_by_dcm2niix(tmp_path: Path):
    paths = write_series(tmp_path / "in", OBLIQUE, [0, 1, 3, 4, 5, 6])
    with pytest.raises(DicomError, match="E-GAP"):
        read_volume(paths)
    with pytest.raises(ValueError, match="volume"):
        highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    (theirs,) = dcm2niix(tmp_path / "in", tmp_path / "out")
    assert theirs.shape == (12, 10, 6)
    assert theirs.header.get_zooms()[2] == pytest.approx(2.5)


def test_dcm2niix_knows_neither_the_offsets_nor_the_scaling_of_a_dose_grid(tmp_path: Path):
    (path,) = real("rtdose.dcm")
    (tmp_path / "in").mkdir()
    shutil.copy(path, tmp_path / "in")
    (theirs,) = dcm2niix(tmp_path / "in", tmp_path / "out")
    ours = read_volume([path])
    assert (ours.affine_ras[2, 0], theirs.header.get_zooms()[2]) == (5, 1)
    assert (ours.slope, theirs.dataobj.slope) == (1e-6, 1)
