"""A tree in, NIfTI files and reasons out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mammoscope.cli.__main__ import main
from mammoscope.dicom.write import write_film
from mammoscope.errors import MammoscopeError
from mammoscope.jobs import dicom_nifti
from mammoscope.jobs.dicom_nifti import COMPLETE, NOTHING, PARTIAL, convert

from ..dicom.volumes.stacks import OBLIQUE, SERIES, assert_same_in_world, multiframe, noise, write, write_series
from ..films import CROP

SMALL = replace(OBLIQUE, stored=noise(3, 4, 5))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(dicom_nifti, "say", lines.append)
    return lines


def renamed(uid: str):
    def edit(d, k: int) -> None:
        d.SeriesInstanceUID = uid
        d.SOPInstanceUID = f"{uid}.{k}"

    return edit


def test_a_tree_of_everything(tmp_path: Path, said: list[str]):
    root, out = tmp_path / "tree", tmp_path / "out"
    write_series(root / "a", SMALL, [2, 0, 1])
    tomo = multiframe(replace(OBLIQUE, angles=(0, 0, 0)))
    tomo.SeriesInstanceUID = "1.2.77"
    write(root / "tomo.dcm", tomo)
    write_series(root / "gap", OBLIQUE, [0, 1, 3], edit=renamed("1.2.88"))
    write_film(root / "film.dcm", np.zeros((4, 5), np.uint16), CROP)
    (root / "broken.dcm").write_bytes((root / "a" / "001.dcm").read_bytes()[:-7])
    (root / "text.dcm").write_text("no DICOM")
    (root / "notes.txt").write_text("of a person")
    (root / "loop").symlink_to(root)
    assert convert(root, out) == PARTIAL
    assert sorted(p.name for p in out.iterdir()) == ["1.2.77.nii.gz"]
    assert said == [
        "E-NOT-DICOM text.dcm no DICM prefix in its 8 bytes",
        "E-NO-GEOMETRY film.dcm has no place in the patient's space",
        "E-TRUNCATED broken.dcm PixelData promises 40 bytes, 33 are there; so the 4 files of its series are left",
        "1.2.77.nii.gz: 12 x 10 x 7 voxels of 0.5 x 0.75 x 2.5 mm; uint16, slope 1, intercept -1024 US",
        "E-GAP gap/001.dcm series 1.2.88: 1 slice is missing: "
        "slices lie 2.5 mm apart, but 5 mm from 002.dcm to 003.dcm",
        f"volumes in {out}: 1; series or files refused: 3; series without geometry: 1; files that are no DICOM: 1",
    ]


def test_a_whole_tree_is_complete_films_notwithstanding(tmp_path: Path, said: list[str]):
    root, out = tmp_path / "tree", tmp_path / "out"
    write_series(root / "a", SMALL)
    write_film(root / "film.dcm", np.zeros((4, 5), np.uint16), CROP)
    assert convert(root, out) == COMPLETE
    image = nibabel.load(out / f"{SERIES}.nii.gz")
    assert_same_in_world(SMALL.values, SMALL.affine_ras, np.asanyarray(image.dataobj), image.affine)
    assert "Planted" not in " ".join(said)


def test_films_alone_are_nothing(tmp_path: Path, said: list[str]):
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / "tree").mkdir(exist_ok=True)
        write_film(tmp_path / "tree" / name, np.zeros((4, 5), np.uint16), CROP)
    assert convert(tmp_path / "tree", tmp_path / "out") == NOTHING
    assert said[0] == "E-NO-GEOMETRY 1.dcm has no place in the patient's space, nor have 1 more of its series"


def test_volumes_of_one_series_are_files_of_their_own(tmp_path: Path, said: list[str]):
    for n in range(2):
        write_series(
            tmp_path / "tree" / str(n),
            replace(SMALL, stored=noise(3, 4, 5, seed=n)),
            edit=lambda d, k, n=n: setattr(d, "EchoTime", 5.5 * (n + 1)),
        )
    assert convert(tmp_path / "tree", tmp_path / "out") == COMPLETE
    for n in range(2):
        image = nibabel.load(tmp_path / "out" / f"{SERIES}-{n + 1}.nii.gz")
        np.testing.assert_array_equal(image.dataobj.get_unscaled().T, noise(3, 4, 5, seed=n))
    assert said[1].endswith("HU, echo 11.0")


def test_a_uid_that_is_a_path_leads_nowhere(tmp_path: Path, said: list[str]):
    for path in write_series(tmp_path / "tree", SMALL, edit=renamed("1.22.333.4444")):
        path.write_bytes(path.read_bytes().replace(b"1.22.333.4444\0", b"../../Planted\0"))
    assert convert(tmp_path / "tree", tmp_path / "deep" / "out") == COMPLETE
    (written,) = (tmp_path / "deep").rglob("*.nii.gz")
    assert written.parent == tmp_path / "deep" / "out"
    assert "Planted" not in written.name


def test_what_is_written_already_is_left_until_its_files_change(tmp_path: Path, said: list[str]):
    root, out = tmp_path / "tree", tmp_path / "out"
    paths = write_series(root, SMALL)
    convert(root, out)
    (written,) = out.iterdir()
    first = written.stat().st_ino
    assert convert(root, out) == COMPLETE
    assert (written.stat().st_ino, said[-2]) == (first, f"{SERIES}.nii.gz: there already")
    os.utime(paths[0], (1, 1))
    convert(root, out)
    assert written.stat().st_ino != first


def test_a_volume_that_fails_leaves_nothing_behind(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch):
    write_series(tmp_path / "tree", SMALL)

    def cut(self, stream) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nibabel.Nifti1Image, "to_stream", cut)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "tree", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_progress_counts_headers_and_slices(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch):
    steps: list[tuple[str, int, int]] = []

    @contextmanager
    def progress(what: str) -> Iterator:
        yield lambda done, total: steps.append((what, done, total))

    monkeypatch.setattr(dicom_nifti, "progress", progress)
    write_series(tmp_path / "tree", SMALL)
    convert(tmp_path / "tree", tmp_path / "out")
    assert steps == [(what, n, 3) for what in ("reading headers", "series 1 of 1") for n in (1, 2, 3)]


def test_the_source_is_never_written_to(tmp_path: Path):
    with pytest.raises(MammoscopeError, match="never written to"):
        convert(tmp_path, tmp_path / "out")
    with pytest.raises(MammoscopeError, match="no such file or folder"):
        convert(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(MammoscopeError, match="is no folder"):
        convert(tmp_path / "absent", tmp_path / "file")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    path = write(tmp_path / "a.dcm", multiframe(OBLIQUE))
    monkeypatch.setattr(sys, "argv", ["mammoscope", "dicom", "nifti", str(path), "-o", str(tmp_path / "out")])
    main()
    assert "volumes in" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == NOTHING
    assert capsys.readouterr().out.startswith("E-TRUNCATED")
