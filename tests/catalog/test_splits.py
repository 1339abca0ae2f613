"""No patient ever crosses: on the real rows, and on random catalogs."""

from collections import Counter

import numpy as np
import pytest

from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.selection import select_rows, target_of
from mammoscope.catalog.splits import assign_partitions, carve, deal_folds, strata
from mammoscope.errors import LeakError, MammoscopeError
from mammoscope.records import Abnormality, Mammogram
from mammoscope.vocabulary import (
    CBIS_DDSM_KINDS,
    AbnormalityKind,
    Laterality,
    Partition,
    Pathology,
    SplitScheme,
    TargetPolicy,
    View,
)

# of 349 test patients, those who are also training patients once mass and calc are merged
# fmt: off
_NUMBERS = [
    16, 41, 159, 394, 495, 510, 591, 601, 639, 652, 678, 723, 753, 882, 906, 924,
    969, 1108, 1152, 1179, 1237, 1307, 1365, 1467, 1566, 1605, 1621, 1635, 1741, 1803, 1883,
]
# fmt: on
THE_31 = tuple(f"P_{number:05d}" for number in _NUMBERS)
MASS, CALC = CBIS_DDSM_KINDS
BOTH = (MASS, CALC)


def assign(catalog, kinds=BOTH, views=tuple(View), **changes):
    options = {
        "scheme": SplitScheme.official_strict,
        "seed": 0,
        "validation_fraction": 0.2,
        "policy": TargetPolicy.malignancy,
        **changes,
    }
    return assign_partitions(catalog, kinds, views, **options)


def rows_of(assignment, catalog, kinds=BOTH, views=tuple(View), policy=TargetPolicy.malignancy):
    found = {partition: [] for partition in Partition}
    for row in select_rows(catalog, kinds, views, policy):
        partition = assignment.partition_of(row)
        if partition is not None:
            found[partition].append(row)
    return found


def abnormality(
    patient: str, kind: AbnormalityKind, published: Partition, view: View, malignant: bool, number: int = 1
):
    return Abnormality(
        kind=kind,
        patient=patient,
        laterality=Laterality.left,
        view=view,
        number=number,
        mammogram=f"{kind}-{published}_{patient}_LEFT_{view}",
        published=published,
        pathology=Pathology.MALIGNANT if malignant else Pathology.BENIGN,
        assessment=4,
        density=2,
        subtlety=3,
        descriptor_1="N/A",
        descriptor_2="N/A",
        mask_path=None,
        mask_sop_uid=None,
        crop_path=None,
        crop_rows_px=None,
        crop_columns_px=None,
    )


def random_catalog(seed: int):
    rng = np.random.default_rng(seed)
    rows, mammograms = [], {}
    for number in range(int(rng.integers(20, 120))):
        for _ in range(int(rng.integers(1, 5))):
            kind = BOTH[int(rng.random() < 0.4)]
            published = Partition.test if rng.random() < 0.25 else Partition.train
            view = list(View)[int(rng.random() < 0.5)]
            row = abnormality(f"P_{number:05d}", kind, published, view, bool(rng.random() < 0.4), len(rows))
            rows.append(row)
            mammograms[row.mammogram] = Mammogram(
                key=row.mammogram,
                kind=kind,
                published=published,
                patient=row.patient,
                laterality=row.laterality,
                view=view,
                study_uid="1.2",
                series_uid="1.3",
                path=None,
                sop_uid=None,
                rows_px=None,
                columns_px=None,
                file_bytes=None,
            )
    return as_catalog(tuple(mammograms.values()), rows, (), is_phantom=False)


def test_the_31_patients(real_rows_catalog):
    assert len(THE_31) == 31
    assert assign(real_rows_catalog).dropped == THE_31


def test_official_with_both_kinds_is_refused_by_name(real_rows_catalog):
    with pytest.raises(LeakError) as caught:
        assign(real_rows_catalog, scheme=SplitScheme.official)
    words = str(caught.value)
    assert "31 patients" in words
    assert ", ".join(THE_31) in words
    for way_out in ("split=official_strict", "data=mass", "data=calc"):
        assert way_out in words
    with pytest.raises(LeakError):  # whatever the view: the other view of a breast is the same cancer
        assign(real_rows_catalog, views=(View.CC,), scheme=SplitScheme.official)


def test_strict_counts_of_both_kinds(real_rows_catalog):
    found = rows_of(assign(real_rows_catalog), real_rows_catalog)
    train = found[Partition.train] + found[Partition.validation]
    assert (len(train), len({a.patient for a in train})) == (2781, 1217)
    assert (len(found[Partition.test]), len({a.patient for a in found[Partition.test]})) == (704, 349)
    assert len({(a.patient, a.laterality, a.view) for a in train}) == 2356
    assert len({(a.patient, a.laterality, a.view) for a in found[Partition.test]}) == 641


@pytest.mark.parametrize(("kind", "train", "test"), [(MASS, 1318, 378), (CALC, 1546, 326)])
def test_one_kind_is_as_published(real_rows_catalog, kind, train, test):
    strict = assign(real_rows_catalog, kinds=(kind,))
    official = assign(real_rows_catalog, kinds=(kind,), scheme=SplitScheme.official)
    assert strict.partitions == official.partitions
    assert strict.dropped == ()
    found = rows_of(strict, real_rows_catalog, kinds=(kind,))
    assert len(found[Partition.train]) + len(found[Partition.validation]) == train
    assert len(found[Partition.test]) == test


def test_validation_is_a_fifth_of_every_stratum(real_rows_catalog):
    assignment = assign(real_rows_catalog)
    found = rows_of(assignment, real_rows_catalog)
    of = strata(found[Partition.train] + found[Partition.validation])
    validation = {a.patient for a in found[Partition.validation]}
    assert len(validation) == round(0.2 * 1217)
    sizes, taken = Counter(of.values()), Counter(of[patient] for patient in validation)
    assert len(sizes) == 6  # two targets x mass, calc, both
    for stratum, size in sizes.items():
        assert abs(taken[stratum] - 0.2 * size) < 1


def test_the_seed_decides_and_nothing_else(real_rows_catalog):
    validation = [p for p, where in assign(real_rows_catalog).partitions.items() if where is Partition.validation]
    assert assign(real_rows_catalog, seed=0) == assign(real_rows_catalog)
    other = assign(real_rows_catalog, seed=1).partitions
    assert 0.1 < np.mean([other[p] is Partition.validation for p in validation]) < 0.35
    assert validation[:3] == ["P_00014", "P_00020", "P_00055"]  # a published result stands on it


def test_files_do_not_decide(make_tree):
    from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm

    tree = make_tree()
    whole = assign(index_cbis_ddsm(tree.root), validation_fraction=0.5)
    for name, path in tree.files.items():
        if "_P_00001_" in name or "_P_00012_" in name or "CC" in name:
            path.unlink()
    assert assign(index_cbis_ddsm(tree.root), validation_fraction=0.5) == whole


def test_a_test_patient_of_the_other_view_is_not_trained_on():
    rows = [
        abnormality("P_00001", MASS, Partition.train, View.CC, True),
        abnormality("P_00001", CALC, Partition.test, View.MLO, True),
        *(abnormality(f"P_0001{n}", MASS, Partition.train, View.CC, n % 2 == 0) for n in range(8)),
    ]
    catalog = as_catalog((), rows, (), is_phantom=False)
    assignment = assign(catalog, views=(View.CC,))
    assert assignment.dropped == ("P_00001",)
    assert "P_00001" not in assignment.partitions
    assert assignment.partition_of(rows[0]) is None
    assert assign(catalog).partition_of(rows[0]) is None
    assert assign(catalog).partition_of(rows[1]) is Partition.test


@pytest.mark.parametrize("seed", range(30))
def test_no_patient_crosses_on_random_catalogs(seed):
    catalog = random_catalog(seed)
    rng = np.random.default_rng(seed)
    for kinds in ((MASS,), (CALC,), BOTH):
        for policy in TargetPolicy:
            options = {"seed": seed, "validation_fraction": float(rng.uniform(0.05, 0.6)), "policy": policy}
            assignment = assign(catalog, kinds=kinds, **options)
            found = rows_of(assignment, catalog, kinds=kinds, policy=policy)
            patients = {partition: {a.patient for a in rows} for partition, rows in found.items()}
            assert sum(map(len, patients.values())) == len(set().union(*patients.values()))
            test_patients = {a.patient for a in catalog.abnormalities if a.kind in kinds and a.published == "test"}
            assert not test_patients & (patients[Partition.train] | patients[Partition.validation])
            assert all(a.published is Partition.test for a in found[Partition.test])
            trainable = patients[Partition.train] | patients[Partition.validation]
            assert len(patients[Partition.validation]) == round(options["validation_fraction"] * len(trainable))
            selected = select_rows(catalog, kinds, list(View), policy)
            left_out = {a.patient for a in selected if assignment.partition_of(a) is None}
            assert left_out <= set(assignment.dropped)
            if assignment.dropped:
                with pytest.raises(LeakError):
                    assign(catalog, kinds=kinds, scheme=SplitScheme.official, **options)


def test_carving_moves_few_patients_when_one_is_added():
    of = {f"P_{n:05d}": (n % 3 == 0, (MASS,)) for n in range(300)}
    before = carve(of, 0.2, seed=0)
    after = carve({**of, "P_99999": (True, (MASS,))}, 0.2, seed=0)
    assert len(before ^ after) <= 2
    assert carve(dict(reversed(of.items())), 0.2, seed=0) == before


def test_a_malignant_row_makes_a_malignant_patient():
    rows = [
        abnormality("P_00001", CALC, Partition.train, View.CC, False),
        abnormality("P_00001", MASS, Partition.train, View.MLO, True),
    ]
    assert strata(rows) == {"P_00001": (True, (CALC, MASS))}
    assert [target_of(row) for row in rows] == [0, 1]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_impossible_fractions(real_rows_catalog, fraction):
    with pytest.raises(MammoscopeError, match=r"split\.validation_fraction=.*; allowed: above 0 and below 1"):
        assign(real_rows_catalog, validation_fraction=fraction)


def test_kinds_and_views_that_the_source_does_not_name():
    rows = [abnormality("P_00001", MASS, Partition.train, View.CC, True)]
    catalog = as_catalog((), rows, (), is_phantom=False)
    with pytest.raises(MammoscopeError, match="data: no calc in this source; it names: mass"):
        assign(catalog, kinds=(CALC,))
    with pytest.raises(MammoscopeError, match="view: no MLO in this source; it names: CC"):
        assign(catalog, kinds=(MASS,))


def test_variants_of_view_and_target_share_their_validation_patients(real_rows_catalog):
    whole = assign(real_rows_catalog)
    for changes in ({"views": (View.CC,)}, {"policy": TargetPolicy.malignancy_without_bwc}):
        part = assign(real_rows_catalog, **changes)
        assert all(whole.partitions[patient] is partition for patient, partition in part.partitions.items())


@pytest.fixture(params=["drawn", "real"])
def either_catalog(request):
    return random_catalog(7) if request.param == "drawn" else request.getfixturevalue("real_rows_catalog")


def test_cv5_validates_every_training_patient_once_and_keeps_test_sealed(either_catalog):
    strict = assign(either_catalog)
    training = {p for p, where in strict.partitions.items() if where is not Partition.test}
    validated = Counter()
    for fold in range(5):
        assignment = assign(either_catalog, scheme=SplitScheme.cv5, fold=fold)
        of = {where: {p for p, own in assignment.partitions.items() if own is where} for where in Partition}
        assert of[Partition.train] | of[Partition.validation] == training
        assert of[Partition.test] == {p for p, where in strict.partitions.items() if where is Partition.test}
        assert assignment.dropped == strict.dropped
        validated.update(of[Partition.validation])
    assert set(validated) == training
    assert set(validated.values()) == {1}


def test_folds_are_the_same_for_every_view_and_policy_and_others_for_another_seed(either_catalog):
    whole = assign(either_catalog, scheme=SplitScheme.cv5, fold=2)
    narrow = assign(
        either_catalog, views=(View.CC,), scheme=SplitScheme.cv5, fold=2, policy=TargetPolicy.malignancy_without_bwc
    )
    assert narrow.partitions.items() <= whole.partitions.items()
    assert assign(either_catalog, scheme=SplitScheme.cv5, fold=2, seed=1).partitions != whole.partitions


@pytest.mark.parametrize("kinds", [(MASS,), (CALC,), BOTH])
def test_folds_share_out_every_stratum(either_catalog, kinds):
    rows = [a for a in either_catalog.abnormalities if a.kind in kinds]
    folds = deal_folds(rows, seed=0)
    density = {}
    for row in rows:
        density[row.patient] = max(density.get(row.patient, 0), row.density)
    counts = Counter((*stratum, density[patient], folds[patient]) for patient, stratum in strata(rows).items())
    sizes = Counter(folds.values())
    assert set(sizes) == set(range(5))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    for stratum in {key[:-1] for key in counts}:
        shares = [counts[(*stratum, fold)] for fold in range(5)]
        assert max(shares) - min(shares) <= 1
