"""Partitions of a user's table."""

from dataclasses import replace

import pytest

from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.table_split import assign_table
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
    split = SplitConfig(name=scheme, seed=seed, validation_fraction=0.25)
    return assign_table(catalog, KINDS, views, split, TargetPolicy.malignancy)


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
