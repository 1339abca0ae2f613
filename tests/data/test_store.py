import pickle
from pathlib import Path

import numpy as np
import pytest

from mammoscope.data.store import (
    StoreFilm,
    StoreRow,
    finish_store,
    hash_file,
    open_store,
    read_shard,
    shard_file,
    shard_is_written,
    write_shard,
)
from mammoscope.errors import MammoscopeError
from mammoscope.records import Defect


def a_row(id: str, shard: int, row: int) -> StoreRow:
    return StoreRow(
        id=id,
        mammogram=id,
        film="0" * 32,
        shard=shard,
        row=row,
        mirrored=True,
        chest_wall_agrees=False,
        enlarged=0.25,
        top_px=-3,
        left_px=4,
        height_px=50,
        width_px=60,
    )


DEFECT = Defect(row="b", problem="unusable_mask", found="3 grey levels", taken_as="no ROI", reason="not a mask")


def a_film(name: str, shard: int, row: int) -> StoreFilm:
    return StoreFilm(mammogram=name, film="0" * 32, shard=shard, row=row)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "hash" / "mass-CC"
    folder.mkdir(parents=True)
    return folder


def write_both(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 65536, (3, 10, 13), dtype=np.uint16)
    masks = rng.random((3, 10, 13)) > 0.5
    thumbnails = rng.integers(0, 256, (3, 128, 128), dtype=np.uint8)
    rows = [a_row("a", 0, 0), a_row("b", 0, 1), a_row("c", 1, 0)]
    films = [a_film("a", 0, 0), a_film("b", 0, 1), a_film("c", 1, 0)]
    for number, own in enumerate([slice(0, 2), slice(2, 3)]):
        defects = [DEFECT] if number == 0 else []
        write_shard(folder, number, images[own], masks[own], rows[own], defects, films[own], thumbnails[own])
    return images, masks


def test_what_was_written_is_read(folder: Path):
    images, masks = write_both(folder)
    finish_store(folder, 2, 13)
    store = open_store(folder)
    assert [row.id for row in store.rows] == ["a", "b", "c"]
    assert store.rows[2] == a_row("c", 1, 0)
    assert store.defects == (DEFECT,)
    assert [film.mammogram for film in store.films] == ["a", "b", "c"]
    assert store.thumbnails().shape == (3, 128, 128)
    for index in range(3):
        np.testing.assert_array_equal(store.image(index), images[index])
        np.testing.assert_array_equal(store.mask(index), masks[index])


def test_images_are_mapped_not_loaded(folder: Path):
    write_both(folder)
    finish_store(folder, 2, 13)
    store = open_store(folder)
    assert all(isinstance(shard, np.memmap) for shard in store.shards)
    assert len(pickle.dumps(store)) < 1000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).image(1), store.image(1))


def test_an_unfinished_store_is_not_there(folder: Path):
    assert open_store(folder) is None
    write_both(folder)
    assert open_store(folder) is None
    assert shard_is_written(folder, 1)
    tables = read_shard(folder, 0)
    assert tables.rows == (a_row("a", 0, 0), a_row("b", 0, 1))
    assert tables.films == (a_film("a", 0, 0), a_film("b", 0, 1))
    assert tables.defects == (DEFECT,)
    assert tables.hashes["images"] == hash_file(shard_file(folder, 0, "images"))


def test_a_shard_without_its_rows_does_not_count(folder: Path):
    write_both(folder)
    shard_file(folder, 1, "rows").unlink()
    assert not shard_is_written(folder, 1)


def test_a_damaged_store_is_named(folder: Path):
    write_both(folder)
    finish_store(folder, 2, 13)
    shard_file(folder, 0, "images").write_bytes(b"not an array")
    with pytest.raises(MammoscopeError, match="mass-CC/ is damaged"):
        open_store(folder)


@pytest.mark.parametrize("what", ["rows", "images", "masks", "thumbnails"])
def test_a_shard_that_was_cut_short_does_not_count(folder: Path, what: str):
    write_both(folder)
    whole = shard_file(folder, 1, what).read_bytes()
    shard_file(folder, 1, what).write_bytes(whole[: len(whole) // 2])
    assert not shard_is_written(folder, 1)
    assert shard_is_written(folder, 0)


def test_arrays_and_rows_of_different_lengths_are_named(folder: Path):
    images, _ = write_both(folder)
    finish_store(folder, 2, 13)
    np.save(shard_file(folder, 0, "images"), images[:1])
    with pytest.raises(MammoscopeError, match=r"mass-CC/ is damaged .shard 0 has 1 images, 2 masks, 2 rows"):
        open_store(folder)


def test_no_half_written_file_stays(folder: Path):
    write_both(folder)
    finish_store(folder, 2, 13)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(MammoscopeError, match=r"store\.root: cannot write"):
        write_shard(in_the_way, 0, np.zeros((1, 4, 4), np.uint16), np.zeros((1, 4, 4), bool), [a_row("a", 0, 0)], [])
