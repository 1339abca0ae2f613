"""Which stores there are, which go, and which are not what was written."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.config import ImageConfig
from mammoscope.data import stock as stock_module
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.preprocess import VERSION
from mammoscope.data.stock import delete_store, find_damage, list_stock, why_useless
from mammoscope.data.store import ARRAYS, INDEX, open_store, shard_file
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, View

FULL = ImageConfig(name=ImageVariant.full, height_px=60, width_px=40)


def prepared(
    root: Path, store: Path, *, films: int = 5, image: ImageConfig = FULL, source_name: str | None = None
) -> Path:
    work = plan_store(index_cbis_ddsm(root, workers=1), AbnormalityKind.mass, View.CC, image)[:films]
    folder = store_folder(store, root, AbnormalityKind.mass, View.CC, work, image)
    quiet = {"progress": lambda done, all: None, "say": print}
    assert prepare_store(root, folder, work, image, workers=1, source_name=source_name, **quiet)
    return folder


def reasons(root: Path) -> list[str | None]:
    stock = list_stock(root)
    return [why_useless(store, stock) for store in stock]


def test_every_store_is_listed_with_what_is_in_it(phantom, tmp_path):
    first = prepared(phantom, tmp_path)
    second = prepared(phantom, tmp_path, image=replace(FULL, height_px=64))
    (tmp_path / "catalogs" / "mass-CC").mkdir(parents=True)
    os.utime(first / "store.json", (10, 10))
    stock = list_stock(tmp_path)
    assert [store.folder for store in stock] == [second, first]
    assert [store.facts.image for store in stock] == ["full 64 x 40 px", "full 60 x 40 px"]
    assert [(store.rows, store.shards_written, store.is_held) for store in stock] == [(5, 2, False)] * 2
    assert stock[1].bytes == sum(path.stat().st_size for path in first.rglob("*") if path.is_file())
    assert reasons(tmp_path) == [None, None]
    assert list_stock(tmp_path / "nowhere") == []


def test_opening_a_store_is_seen(phantom, tmp_path):
    folder = prepared(phantom, tmp_path)
    os.utime(folder / "store.json", (10, 10))
    prepared(phantom, tmp_path)
    assert list_stock(tmp_path)[0].used_s > 1e9


def test_what_another_preprocessing_made_is_useless(phantom, tmp_path, monkeypatch):
    prepared(phantom, tmp_path)
    monkeypatch.setattr(stock_module, "VERSION", 99)
    assert reasons(tmp_path) == [f"made by version {VERSION} of the preprocessing; today's is 99"]


def test_a_store_of_files_that_have_changed_is_useless(phantom, tmp_path):
    tree = Path(shutil.copytree(phantom, tmp_path / "tree"))
    prepared(tree, tmp_path / "store")
    film = plan_store(index_cbis_ddsm(tree, workers=1), AbnormalityKind.mass, View.CC, FULL)[0].mammogram.path
    os.utime(tree / film, ns=(1, 1))
    assert "1 of the " in reasons(tmp_path / "store")[0]
    shutil.move(tree, tmp_path / "unmounted")
    assert reasons(tmp_path / "store") == [None]


def test_a_store_of_less_than_there_is_now_is_useless(phantom, tmp_path):
    small, large = prepared(phantom, tmp_path, films=3), prepared(phantom, tmp_path, films=5)
    found = {store.folder: why_useless(store, list_stock(tmp_path)) for store in list_stock(tmp_path)}
    assert "has grown" in found[small]
    assert found[large] is None


def test_a_store_of_own_images_tells_no_path_and_goes_when_another_is_of_the_same(phantom, tmp_path):
    tree, stores = Path(shutil.copytree(phantom, tmp_path / "Ann Example")), tmp_path / "store"
    own = {"source_name": "local:0123456789ab"}
    small, first = prepared(tree, stores, films=3, **own), prepared(tree, stores, **own)
    other = prepared(tree, stores, films=4, source_name="local:another")
    told = (first / "store.json").read_text()
    work = plan_store(index_cbis_ddsm(tree, workers=1), AbnormalityKind.mass, View.CC, FULL)
    assert not any(
        word in told for word in ("Ann Example", "1-1.dcm", str((tree / work[0].mammogram.path).stat().st_mtime_ns))
    )
    assert work[0].mammogram.key in told
    os.utime(tree / work[0].mammogram.path, ns=(1, 1))
    os.utime(first / "store.json", (10, 10))
    second = prepared(tree, stores, **own)
    found = {store.folder: why_useless(store, list_stock(stores)) for store in list_stock(stores)}
    assert "has grown" in found[small]
    assert found[first] == f"the source has changed since; {second.parent.name}/mass-CC was made of it then"
    assert (found[second], found[other]) == (None, None)


def test_unfinished_and_unreadable_stores_are_useless_unless_somebody_is_at_it(phantom, tmp_path):
    folder = prepared(phantom, tmp_path)
    (folder / INDEX).unlink()
    shard_file(folder, 1, "rows").unlink()
    assert reasons(tmp_path) == ["unfinished: 1 of 2 shards, and no process is at it"]
    with FileLock(folder / "locks" / "shard-0001.lock"):
        assert list_stock(tmp_path)[0].is_held
        assert reasons(tmp_path) == [None]
    (folder / "store.json").write_text("{}")
    assert "another layout" in reasons(tmp_path)[0]


def test_a_deleted_store_leaves_nothing(phantom, tmp_path):
    folder = prepared(phantom, tmp_path)
    delete_store(list_stock(tmp_path)[0])
    assert not folder.parent.exists()


def test_a_deletion_that_was_cut_off_is_ended_by_the_next(phantom, tmp_path, monkeypatch):
    folder = prepared(phantom, tmp_path)
    with monkeypatch.context() as context:
        context.setattr(stock_module.shutil, "rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            delete_store(list_stock(tmp_path)[0])
    assert open_store(folder) is None
    assert reasons(tmp_path) == ["was being deleted"]
    delete_store(list_stock(tmp_path)[0])
    assert list_stock(tmp_path) == []


@pytest.mark.parametrize("what", ARRAYS)
def test_a_flipped_bit_is_found(phantom, tmp_path, what):
    folder = prepared(phantom, tmp_path)
    assert list(find_damage(folder)) == []
    path = shard_file(folder, 1, what)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert list(find_damage(folder)) == [f"{path.name}: its content is not what was written"]


def test_damaged_tables_and_missing_arrays_are_found(phantom, tmp_path):
    folder = prepared(phantom, tmp_path)
    shard_file(folder, 0, "masks").unlink()
    path = shard_file(folder, 1, "rows")
    path.write_bytes(path.read_bytes()[:-20])
    found = list(find_damage(folder))
    assert found[0] == "shard-0000.masks.npy: No such file or directory"
    assert found[1].startswith("shard-0001.parquet: ")
    shutil.copy(shard_file(folder, 0, "rows"), path)
    assert any("index.parquet" in words or "damaged" in words for words in find_damage(folder))
