"""From a tree to a store: every film once, every image where its film says, whoever prepares and however often."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.config import ImageConfig
from mammoscope.data import prepare as prepare_module
from mammoscope.data.cut import why_unusable
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.store import shard_file
from mammoscope.dicom.codes import CODES
from mammoscope.errors import DicomError, MammoscopeError, PngError
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, ImageVariant, View

ROI = ImageConfig(name=ImageVariant.roi, height_px=40, width_px=40, context=2.0)
FULL = ImageConfig(name=ImageVariant.full, height_px=60, width_px=40)
MASS, CC = AbnormalityKind.mass, View.CC


def prepared(root: Path, store: Path, image: ImageConfig = ROI, *, said: list[str] | None = None, workers: int = 1):
    work = plan_store(index_cbis_ddsm(root, workers=1), MASS, CC, image)
    folder = store_folder(store, root, MASS, CC, work, image)
    lines = said if said is not None else []
    return prepare_store(root, folder, work, image, workers=workers, progress=lambda done, all: None, say=lines.append)


@pytest.fixture
def tree(phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantom, tmp_path / "tree"))


def test_roi_has_a_row_for_each_abnormality_and_full_for_each_film(phantom, catalog, tmp_path):
    of_store = [a for a in catalog.abnormalities if a.kind is MASS and a.view is CC]
    assert {row.id for row in prepared(phantom, tmp_path).rows} == {a.key for a in of_store}
    assert {row.id for row in prepared(phantom, tmp_path, FULL).rows} == {a.mammogram for a in of_store}


def test_the_roi_fills_the_share_of_the_window_that_its_context_says(phantom, tmp_path):
    store = prepared(phantom, tmp_path)
    for index in range(len(store.rows)):
        mask = store.mask(index)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        assert longer == pytest.approx(40 / 2.0, abs=2)
        assert store.image(index)[mask].mean() > 0


def test_two_processes_make_what_one_makes(phantom, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "films_per_shard", lambda films: 8)
    one, two = prepared(phantom, tmp_path / "one"), prepared(phantom, tmp_path / "two", workers=2)
    assert len(one.shards) > 1
    assert one.rows == two.rows
    for first, second in zip(one.shards, two.shards, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_finished_store_is_opened_and_not_made_again(phantom, tmp_path, monkeypatch):
    first = prepared(phantom, tmp_path)
    monkeypatch.setattr(prepare_module, "prepare_shards", lambda *a, **k: pytest.fail("prepared twice"))
    assert prepared(phantom, tmp_path).rows == first.rows


def test_what_a_killed_process_left_is_completed(phantom, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "films_per_shard", lambda films: 8)
    whole = prepared(phantom, tmp_path)
    images = [np.array(shard) for shard in whole.shards]
    kept = shard_file(whole.folder, 0, "images").stat().st_mtime_ns
    (whole.folder / "index.parquet").unlink()
    shard_file(whole.folder, 1, "rows").unlink()
    shard_file(whole.folder, 1, "images").write_bytes(b"half")
    again = prepared(phantom, tmp_path)
    assert shard_file(again.folder, 0, "images").stat().st_mtime_ns == kept
    for shard, image in zip(again.shards, images, strict=True):
        np.testing.assert_array_equal(shard, image)


def test_a_changed_setting_or_file_makes_another_store(catalog, tree):
    def folder(root: Path, image: ImageConfig = ROI) -> Path:
        work = plan_store(index_cbis_ddsm(root, workers=1), MASS, CC, image)
        return store_folder(Path("store"), root, MASS, CC, work, image)

    first = folder(tree)
    assert folder(tree) == first
    victim = next(m for m in catalog.mammograms if m.kind is MASS and m.view is CC)
    found = {first, folder(tree, dataclasses.replace(ROI, context=1.5))}
    os.utime(tree / victim.path, ns=(1, 1))
    found.add(folder(tree))
    shutil.rmtree((tree / victim.path).parent)
    found.add(folder(tree))
    assert len(found) == 4


def test_pixels_that_were_changed_in_place_are_prepared_again(tree, tmp_path):
    """Same UID, same size: a store named by those alone would hide a film that now stands under two patients."""
    before = prepared(tree, tmp_path / "store", FULL)
    ours, other = (film_of(tree, before.rows[n].id) for n in (0, 1))
    rewrite(ours, PixelData=pydicom.dcmread(other).PixelData)
    after = prepared(tree, tmp_path / "store", FULL)
    assert before.rows[0].film != before.rows[1].film == after.rows[0].film == after.rows[1].film


def test_half_written_files_of_a_killed_process_are_taken_away(phantom, tmp_path):
    folder = prepared(phantom, tmp_path).folder
    (folder / "index.parquet").unlink()
    (folder / ".shard-0000.images.npy.4711").write_bytes(b"half")
    prepared(phantom, tmp_path)
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_roi_outside_the_breast_that_was_found_is_told(tree, catalog, tmp_path):
    assert not prepared(tree, tmp_path / "before", FULL).defects
    victim = next(a for a in catalog.abnormalities if a.kind is MASS and a.view is CC)
    mask = np.zeros_like(pydicom.dcmread(tree / victim.mask_path).pixel_array)
    mask[:6, :] = mask[40:50, 40:50] = 255
    rewrite(tree / victim.mask_path, PixelData=mask.tobytes())
    after = prepared(tree, tmp_path / "after", FULL)
    assert ("roi_outside_breast", victim.mammogram) in {(d.problem, d.row) for d in after.defects}


def rewrite(path: Path, **changes: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def film_of(root: Path, id: str) -> Path:
    return root / next(m.path for m in index_cbis_ddsm(root, workers=1).mammograms if m.key == id)


def test_an_inverted_film_gives_the_same_image(tree, tmp_path):
    before = prepared(tree, tmp_path, FULL)
    id = before.rows[0].id
    path = film_of(tree, id)
    inverted = 65535 - pydicom.dcmread(path).pixel_array
    rewrite(path, PhotometricInterpretation="MONOCHROME1", PixelData=inverted.tobytes())
    after = prepared(tree, tmp_path / "after", FULL)
    np.testing.assert_allclose(after.image(0).astype(int), before.image(0).astype(int), atol=1)
    assert after.rows[0].film != before.rows[0].film


def test_a_window_clips_what_lies_outside_of_it(tree, tmp_path):
    id = prepared(tree, tmp_path, FULL).rows[0].id
    path = film_of(tree, id)
    pixels = pydicom.dcmread(path).pixel_array
    level = float(np.percentile(pixels[pixels > 2000], 60))
    rewrite(path, WindowCenter=level / 2, WindowWidth=level)
    image = prepared(tree, tmp_path / "after", FULL).image(0)
    assert (image == image.max()).mean() > 5 * (prepared(tree, tmp_path, FULL).image(1) == 65535).mean()
    assert (image == image.max()).sum() > 50


def test_a_mask_that_is_none_is_left_out_and_told(tree, tmp_path, catalog):
    rows = [a for a in catalog.abnormalities if a.kind is MASS and a.view is CC]
    grey, empty = rows[0], rows[1]
    shape = pydicom.dcmread(tree / grey.mask_path).pixel_array.shape
    rewrite(tree / grey.mask_path, PixelData=(np.arange(np.prod(shape)) % 200).astype(np.uint8).tobytes())
    shape = pydicom.dcmread(tree / empty.mask_path).pixel_array.shape
    rewrite(tree / empty.mask_path, PixelData=np.zeros(shape, np.uint8).tobytes())
    store = prepared(tree, tmp_path)
    assert {grey.key, empty.key}.isdisjoint(row.id for row in store.rows)
    found = {defect.row: defect.found for defect in store.defects}
    assert "200 grey levels" in found[grey.key]
    assert "empty" in found[empty.key]


def test_a_crop_of_another_size_than_its_mask_says_is_told(tree, tmp_path, catalog):
    row = next(a for a in catalog.abnormalities if a.kind is MASS and a.view is CC)
    mask = pydicom.dcmread(tree / row.mask_path).pixel_array
    rewrite(tree / row.mask_path, PixelData=np.roll(mask, 0).copy().tobytes())
    mask[: mask.shape[0] // 2] = 0
    if not mask.any():
        mask[-3:, -3:] = 255
    rewrite(tree / row.mask_path, PixelData=mask.tobytes())
    defects = [d for d in prepared(tree, tmp_path).defects if d.row == row.key]
    assert [d.problem for d in defects] == ["crop_size"]


def test_a_film_that_cannot_be_used_is_told_and_the_others_are_prepared(tree, tmp_path):
    before = prepared(tree, tmp_path, FULL)
    path = film_of(tree, before.rows[0].id)
    blank = np.full(pydicom.dcmread(path).pixel_array.shape, 9, np.uint16)
    rewrite(path, PixelData=blank.tobytes())
    after = prepared(tree, tmp_path / "after", FULL)
    assert [d.row for d in after.defects] == [before.rows[0].id]
    assert "no breast found" in after.defects[0].found
    assert len(after.rows) == len(before.rows) - 1


def test_why_a_file_cannot_be_used_is_kept_without_its_path_and_its_header():
    header = DicomError("E-GREY", "/Ann/1.dcm", "LUT or window: ValueError: could not convert string to float: 'Ann'")
    assert why_unusable(header) == f"E-GREY: {CODES['E-GREY']}"
    assert why_unusable(PngError("/Ann/1.png", "the PNG is damaged")) == "the PNG is damaged"
    assert why_unusable(MammoscopeError("no breast found")) == "no breast found"


def test_the_twins_of_one_film_share_their_hash(phantom, catalog, tmp_path):
    both: dict[tuple[str, ...], set[str]] = {}
    for kind in CBIS_DDSM_KINDS:
        work = plan_store(catalog, kind, CC, FULL)
        folder = store_folder(tmp_path, phantom, kind, CC, work, FULL)
        store = prepare_store(phantom, folder, work, FULL, workers=1, progress=lambda d, a: None, say=print)
        for row in store.rows:
            both.setdefault(tuple(row.mammogram.split("_")[2:]), set()).add(row.film)
    stored_twice = [key for key in both if sum(m.key.endswith("_".join(key)) for m in catalog.mammograms) == 2]
    assert stored_twice
    assert all(len(both[key]) == 1 for key in stored_twice)


def test_a_shard_that_another_process_has_is_waited_for(phantom, tmp_path):
    """Its lock is held by a process of its own, which ends while we wait and leaves the shard to us."""
    work = plan_store(index_cbis_ddsm(phantom, workers=1), MASS, CC, ROI)
    folder = store_folder(tmp_path, phantom, MASS, CC, work, ROI)
    (folder / "locks").mkdir(parents=True)
    script = (
        "import time\n"
        "from filelock import FileLock\n"
        f"lock = FileLock({str(folder / 'locks/shard-0001.lock')!r})\n"
        "lock.acquire(); print('held', flush=True); time.sleep(1.5); lock.release()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []
    store = prepare_store(phantom, folder, work, ROI, workers=1, progress=lambda d, a: None, say=said.append)
    holder.communicate()
    shards = len(store.shards)
    assert said == [f"another process prepares 1 of the {shards} shards of mass-CC; waiting for it"]
    assert len(store.rows) > 5


def test_the_source_is_never_written_to(phantom, tmp_path):
    def state() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in phantom.rglob("*"))

    before = state()
    prepared(phantom, tmp_path)
    prepared(phantom, tmp_path, FULL)
    assert state() == before
