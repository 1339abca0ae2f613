"""The file that we write: values and places as in the volume, and nothing of whom it shows."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mammoscope.dicom.volumes.nifti import file_name, is_written, write_nifti
from mammoscope.dicom.volumes.volume import Part, Volume, read_volume, series_parts
from mammoscope.errors import DicomError

from .stacks import OBLIQUE, SERIES, assert_same_in_world, noise, write_series
from .test_volume import PER_SLICE


def part(uid: str, number: int = 1, of: int = 1) -> Part:
    return Part(uid, number, of, (), ())


def read(path: Path) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_filename(path)


@pytest.mark.parametrize(
    "stack",
    [
        OBLIQUE,
        replace(OBLIQUE, rescale=PER_SLICE),
        replace(OBLIQUE, stored=noise(7, 10, 12, dtype="int16", bits=16), rescale=((0.5, 3.0),)),
        replace(OBLIQUE, rescale=((1.0, 0.0),)),
        replace(OBLIQUE, rescale=tuple((1.0, -100.0 * k) for k in range(7))),
    ],
    ids=["CT", "rescaled by the slice", "signed", "plain", "int32"],
)
def test_values_dtype_and_place_are_the_volumes(tmp_path: Path, stack):
    volume = read_volume(write_series(tmp_path / "in", stack))
    write_nifti(tmp_path / "a.nii.gz", volume)
    image = read(tmp_path / "a.nii.gz")
    assert image.shape == (12, 10, 7)
    assert image.get_data_dtype() == volume.array.dtype
    np.testing.assert_array_equal(image.dataobj.get_unscaled().T, volume.array)
    assert (image.dataobj.slope, image.dataobj.inter) == (volume.slope, volume.intercept)
    assert image.header.get_xyzt_units()[0] == "mm"
    for affine, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 1
        assert_same_in_world(stack.values, stack.affine_ras, np.asanyarray(image.dataobj), affine)


def test_a_stack_that_hardly_leans_keeps_its_lean_in_the_sform(tmp_path: Path):
    def lean(d, k: int) -> None:
        d.ImagePositionPatient = [round(v, 8) for v in np.array(OBLIQUE.position(k)) + 0.005 * k * OBLIQUE.axes[:, 1]]

    volume = read_volume(write_series(tmp_path / "in", OBLIQUE, edit=lean))
    write_nifti(tmp_path / "a.nii.gz", volume)
    sform, qform = read(tmp_path / "a.nii.gz").get_sform(), read(tmp_path / "a.nii.gz").get_qform()
    np.testing.assert_allclose(np.linalg.norm((sform - qform) @ [11, 9, 6, 0]), 0.03, atol=1e-4)
    np.testing.assert_allclose(sform, volume.affine_ras[:, [2, 1, 0, 3]], atol=1e-5)


def test_the_file_tells_nothing_of_the_patient_and_is_the_same_each_time(tmp_path: Path):
    paths = write_series(tmp_path / "Planted^Petra", OBLIQUE)
    for name in ("a", "b"):
        write_nifti(tmp_path / f"{name}.nii.gz", read_volume(paths))
    packed = (tmp_path / "a.nii.gz").read_bytes()
    assert packed == (tmp_path / "b.nii.gz").read_bytes()
    assert packed[3:8] == bytes(5)  # RFC 1952: no name, no time
    for word in (b"planted", b"petra", b"20010203", b"1.2.826", b".dcm", str(tmp_path).encode()):
        assert word not in packed.lower()
        assert word not in gzip.decompress(packed).lower()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Planted^Petra", "a.nii.gz", "b.nii.gz"]


@pytest.mark.parametrize(
    "uid", ["../../etc/passwd", "/etc/passwd", "", "..", "Planted^Petra", "1." * 32 + "1", "1.2\n"]
)
def test_what_is_no_uid_becomes_no_name(uid: str):
    name = file_name(part(uid))
    assert name.startswith("series-")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert uid == "" or uid not in name
    assert name != file_name(part(uid + "x"))


def test_files_without_a_series_do_not_share_a_name(tmp_path: Path):
    names = set()
    for n in range(2):
        paths = write_series(
            tmp_path / str(n),
            replace(OBLIQUE, stored=noise(1, 4 + n, 5)),
            edit=lambda d, k: delattr(d, "SeriesInstanceUID"),
        )
        names |= {file_name(part) for part in series_parts(paths)}
    assert len(names) == 2


def test_names_are_uids_and_never_the_same():
    assert file_name(part(SERIES)) == f"{SERIES}.nii.gz"
    assert file_name(part(SERIES, 2, 3)) == f"{SERIES}-2.nii.gz"


def test_a_file_is_known_to_be_written_from_these_files(tmp_path: Path):
    paths, path = write_series(tmp_path / "in", OBLIQUE), tmp_path / "a.nii.gz"
    (part,) = series_parts(paths)
    assert not is_written(path, part)
    write_nifti(path, read_volume(paths))
    assert is_written(path, part)
    then = paths[3].stat().st_mtime_ns
    os.utime(paths[3], ns=(then, then + 1))
    assert not is_written(path, part)
    os.utime(paths[3], ns=(then, then))
    assert is_written(path, part)
    path.write_bytes(path.read_bytes()[:100])
    assert not is_written(path, part)
    path.write_bytes(b"something else")
    assert not is_written(path, part)


def test_what_nifti_cannot_count_is_refused(tmp_path: Path):
    volume = read_volume(write_series(tmp_path / "in", OBLIQUE))
    wide = Volume(volume.part, np.zeros((1, 1, 32768), "u1"), np.eye(4), 1.0, 0.0, "", 0.0)
    with pytest.raises(DicomError, match="E-TOO-LARGE"):
        write_nifti(tmp_path / "a.nii.gz", wide)
    assert not list(tmp_path.glob("*.nii.gz"))
