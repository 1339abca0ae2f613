"""Partitions of a user's table."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.pseudonyms import Pseudonyms
from mammoscope.catalog.table import read_table
from mammoscope.catalog.table_index import index_table
from mammoscope.catalog.table_split import assign_table, draw_names
from mammoscope.config import SplitConfig
from mammoscope.errors import MammoscopeError
from mammoscope.records import Abnormality, Catalog
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, Pathology, SplitScheme, TargetPolicy, View

KINDS = [AbnormalityKind.unknown]
BOTH = [View.CC, View.MLO]


def abnormality(patient: int, view: View, published: Partition, *, malignant: bool) -> Abnormality:
    return Abnormality(
        kind=AbnormalityKind.unknown,
        patient=f"T000000_{patient:012d}",
        laterality=Laterality.left,
        view=view,
        number=1,
        mammogram=f"{patient}_{view}",
        published=published,
        pathology=Pathology.MALIGNANT if malignant else Pathology.BENIGN,
        assessment=0,
        density=0,
        subtlety=0,
        descriptor_1="N/A",
        descriptor_2="N/A",
        mask_path=None,
        mask_sop_uid=None,
        crop_path=None,
        crop_rows_px=None,
        crop_columns_px=None,
    )


def catalog_of(*published: Partition) -> Catalog:
    """A patient each, every third malignant, in both views."""
    rows = [
        abnormality(patient, view, partition, malignant=patient % 3 == 0)
        for patient, partition in enumerate(published)
        for view in BOTH
    ]
    return as_catalog((), rows, (), is_phantom=False)


def assigned(catalog: Catalog, scheme: SplitScheme, seed: int = 0, views: list[View] = BOTH):
    drawn_by = {a.patient: a.patient for a in catalog.abnormalities}
    split = SplitConfig(name=scheme, seed=seed, validation_fraction=0.25)
    return assign_table(catalog, drawn_by, KINDS, views, split, TargetPolicy.malignancy)


def test_carved_by_patient_class_for_class():
    catalog = catalog_of(*[Partition.train] * 60)
    assignment = assigned(catalog, SplitScheme.carved)
    counts = {p: [q for q, own in assignment.partitions.items() if own is p] for p in Partition}
    assert {p: len(own) for p, own in counts.items()} == {
        Partition.train: 36,
        Partition.validation: 12,  # a quarter of what is left
        Partition.test: 12,  # a fifth
    }
    assert sum(int(patient[-2:]) % 3 == 0 for patient in counts[Partition.test]) == 4
    rows = catalog.abnormalities
    assert all(assignment.partition_of(row) is assignment.partitions[row.patient] for row in rows)
    assert assigned(catalog, SplitScheme.carved) == assignment
    assert assigned(catalog, SplitScheme.carved, seed=1).partitions != assignment.partitions
    assert assigned(catalog, SplitScheme.carved, views=[View.CC]).partitions == assignment.partitions


def test_as_the_column_says():
    published = [Partition.train] * 5 + [Partition.validation] * 3 + [Partition.test] * 4
    assignment = assigned(catalog_of(*published), SplitScheme.table)
    assert list(assignment.partitions.values()) == published
    assert assignment.scheme is SplitScheme.table


def test_a_column_without_validation_has_it_carved_out_of_train():
    published = [Partition.train] * 12 + [Partition.test] * 4
    partitions = list(assigned(catalog_of(*published), SplitScheme.table).partitions.values())
    assert partitions[12:] == [Partition.test] * 4
    assert partitions.count(Partition.validation) == 3


def test_a_table_of_test_images_alone():
    assignment = assigned(catalog_of(*[Partition.test] * 4), SplitScheme.table)
    assert set(assignment.partitions.values()) == {Partition.test}


def test_a_view_that_the_table_does_not_have():
    catalog = catalog_of(*[Partition.train] * 4)
    cc = replace(catalog, abnormalities=tuple(a for a in catalog.abnormalities if a.view is View.CC))
    with pytest.raises(MammoscopeError, match="view: no MLO in this source; it names: CC"):
        assigned(cc, SplitScheme.carved)


Rows = list[dict[str, object]]
KEYS = (b"1" * 32, b"2" * 32)


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Forty patients with two images each, every third patient malignant; the files lie in tmp_path."""
    rows: Rows = []
    for number in range(40):
        for view in BOTH:
            path = f"{number}-{view}.png"
            cv2.imwrite(str(tmp_path / path), np.zeros((4, 4), np.uint16))
            cells = {"patient": f"Ann {number}", "laterality": "left", "view": view, "target": int(number % 3 == 0)}
            rows.append({"path": path} | cells)
    return rows


def written_partitions(root: Path, rows: Rows, key: bytes) -> dict[str, Partition]:
    """Where each patient stands, by the name that the table has."""
    with open(root / "own.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    table, names = read_table(root / "own.csv"), Pseudonyms(key)
    catalog = index_table(table, names, root / "boxes", workers=1)
    scheme = SplitScheme.table if table.has_partitions else SplitScheme.carved
    split = SplitConfig(name=scheme, seed=0, validation_fraction=0.25)
    drawn_by = draw_names(table, names)
    assert not any("Ann" in told for told in drawn_by.values())
    assignment = assign_table(catalog, drawn_by, KINDS, BOTH, split, TargetPolicy.malignancy)
    assert not any("Ann" in patient for patient in assignment.partitions)
    return {str(row["patient"]): assignment.partitions[names.patient(str(row["patient"]))] for row in rows}


@pytest.mark.parametrize("with_column", [False, True], ids=["carved", "validation carved out of train"])
def test_neither_the_key_nor_the_order_of_the_rows_moves_a_patient(tmp_path, rows, with_column):
    if with_column:
        rows = [row | {"partition": "test" if str(row["patient"]).endswith("9") else "train"} for row in rows]
    first, other_key = (written_partitions(tmp_path, rows, key) for key in KEYS)
    assert other_key == first
    assert set(first.values()) == set(Partition)
    shuffled = [rows[n] for n in np.random.default_rng(0).permutation(len(rows))]
    assert written_partitions(tmp_path, shuffled, KEYS[0]) == first


def test_what_a_patient_is_drawn_by_depends_on_all_names_of_the_table(tmp_path, rows):
    """Else who guesses a name could try it against a run's partitions."""
    names = Pseudonyms(KEYS[0])
    written_partitions(tmp_path, rows, KEYS[0])
    every = draw_names(read_table(tmp_path / "own.csv"), names)
    written_partitions(tmp_path, rows[2:], KEYS[0])
    without_one = draw_names(read_table(tmp_path / "own.csv"), names)
    assert every.keys() - without_one.keys() == {names.patient("Ann 0")}
    assert not set(every.values()) & set(without_one.values())
