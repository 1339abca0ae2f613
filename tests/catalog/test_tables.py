"""Catalog -> Parquet -> the same catalog."""

import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.tables import ABNORMALITIES, DEFECTS, MAMMOGRAMS, read_catalog, write_catalog
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import Pathology


@pytest.fixture
def catalog(tree):
    key = tree.add(1, pathology="BENIGN_WITHOUT_CALLBACK")
    tree.add(2)
    tree.files[f"{key}/mask"].unlink()
    tree.write_csvs()
    (tree.root / "PHANTOM.json").write_text(json.dumps({"format": "mammoscope-phantom"}))
    return index_cbis_ddsm(tree.root)


def test_round_trip(catalog, tmp_path):
    write_catalog(catalog, tmp_path / "new/folder")
    again = read_catalog(tmp_path / "new/folder")
    assert again == catalog
    assert isinstance(again.abnormalities[0].pathology, Pathology)
    assert [p.name for p in (tmp_path / "new/folder").iterdir() if p.name.startswith(".")] == []


def test_anyone_can_read_it(catalog, tmp_path):
    write_catalog(catalog, tmp_path)
    rows = pd.read_parquet(tmp_path / ABNORMALITIES)
    assert rows.pathology.tolist() == ["BENIGN_WITHOUT_CALLBACK", "BENIGN"]
    assert rows.descriptor_1.tolist() == ["N/A", "N/A"]  # a category, not a missing value
    assert rows.mask_path.isna().tolist() == [True, False]
    assert pd.read_parquet(tmp_path / DEFECTS).problem.tolist() == ["missing_series"]
    assert pd.read_parquet(tmp_path / MAMMOGRAMS).rows_px.tolist() == [24, 24]


def test_empty_tables_keep_their_columns(make_tree, tmp_path):
    whole = index_cbis_ddsm(make_tree().root)
    assert whole.defects == ()
    write_catalog(whole, tmp_path)
    assert pq.read_schema(tmp_path / DEFECTS).names == ["row", "problem", "found", "taken_as", "reason"]
    assert read_catalog(tmp_path) == whole


def test_tables_of_two_catalogs(catalog, tree, tmp_path):
    write_catalog(catalog, tmp_path / "a")
    tree.add(3)
    tree.write_csvs()
    write_catalog(index_cbis_ddsm(tree.root), tmp_path / "b")
    shutil.copy(tmp_path / "b" / ABNORMALITIES, tmp_path / "a")
    with pytest.raises(MammoscopeError, match="not one catalog"):
        read_catalog(tmp_path / "a")


def test_damaged_absent_and_foreign_tables(catalog, tmp_path):
    write_catalog(catalog, tmp_path)
    path = tmp_path / MAMMOGRAMS
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MammoscopeError, match=r"mammograms\.parquet: cannot be read"):
        read_catalog(tmp_path)
    pd.DataFrame({"key": ["a"]}).to_parquet(path)
    with pytest.raises(MammoscopeError, match="is no table of a catalog"):
        read_catalog(tmp_path)
    path.unlink()
    with pytest.raises(MammoscopeError, match="cannot be read"):
        read_catalog(tmp_path)
