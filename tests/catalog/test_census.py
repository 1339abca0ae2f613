"""DOMAIN's table, from the real case descriptions; and what a partial download is called."""

import pytest

from mammoscope.catalog.case_descriptions import FILES
from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.census import census, defect_counts
from mammoscope.catalog.selection import select_rows, target_of
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, TargetPolicy, View

TABLE = [  # kind, published, rows, malignant, mammograms, breasts, with both views, patients, without callback
    ("mass", "train", 1318, 637, 1231, 722, 509, 691, 104),
    ("mass", "test", 378, 147, 361, 210, 151, 201, 37),
    ("calc", "train", 1546, 544, 1227, 662, 565, 602, 474),
    ("calc", "test", 326, 129, 284, 161, 123, 151, 67),
]


def test_the_table_of_the_real_rows(real_rows_catalog):
    found = census(real_rows_catalog)
    assert [
        (
            r.kind,
            r.published,
            r.rows,
            r.malignant,
            r.mammograms_named,
            r.breasts,
            r.breasts_with_both_views,
            r.patients,
            r.without_callback,
        )
        for r in found.rows
    ] == TABLE
    total = found.total
    assert (total.rows, total.malignant, total.mammograms_named, total.films_named) == (3568, 1457, 3103, 3032)
    assert total.patients == 1566


def test_the_first_row_of_a_film_would_mislabel_some(real_rows_catalog):
    """11 as stored, 25 with the kinds merged: a film is malignant if any of its abnormalities is."""
    stored: dict[str, list[int]] = {}
    merged: dict[tuple[str, str, str], list[int]] = {}
    for a in real_rows_catalog.abnormalities:
        stored.setdefault(a.mammogram, []).append(target_of(a))
        merged.setdefault((a.patient, a.laterality, a.view), []).append(target_of(a))
    assert sum(targets[0] != max(targets) for targets in stored.values()) == 11
    assert sum(targets[0] != max(targets) for targets in merged.values()) == 25
    found = census(real_rows_catalog)
    assert [row.mixed_films for row in found.rows] == [6, 2, 7, 2]
    assert found.total.mixed_films == 33


def test_target_policy(real_rows_catalog):
    everything = (real_rows_catalog, list(CBIS_DDSM_KINDS), list(View))
    assert len(select_rows(*everything, TargetPolicy.malignancy)) == 3568
    without = select_rows(*everything, TargetPolicy.malignancy_without_bwc)
    assert len(without) == 3568 - 104 - 37 - 474 - 67
    assert sum(map(target_of, without)) == 1457
    only = select_rows(real_rows_catalog, [AbnormalityKind.calc], [View.CC], TargetPolicy.malignancy)
    assert {(a.kind, a.view) for a in only} == {("calc", "CC")}


def test_a_partial_download_is_called_one(make_tree):
    tree = make_tree()
    whole = census(index_cbis_ddsm(tree.root))
    assert not whole.is_partial
    assert whole.summary().startswith("complete: 32 of 32 mammograms")
    gone = [name for name in tree.files if "P_00001" in name]
    for name in gone:
        tree.files[name].unlink()
    catalog = index_cbis_ddsm(tree.root)
    found = census(catalog)
    assert found.is_partial
    assert found.summary() == (
        "partial download: 30 of 32 mammograms, 30 of 32 masks, 30 of 32 crops, 15 of 16 patients"
    )
    assert found.rows[0].patients_present == 3
    assert found.defects == defect_counts(catalog) == {"missing_series": 4}


@pytest.mark.parametrize("name", FILES)
def test_a_source_of_one_kind_and_partition_has_one_row(tree, name):
    kind, published = FILES[name]
    tree.add(1, kind=kind, published=published)
    tree.write_csvs()
    (row,) = census(index_cbis_ddsm(tree.root)).rows
    assert (row.kind, row.published, row.rows) == (kind, published, 1)
