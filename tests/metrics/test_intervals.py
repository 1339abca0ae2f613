import csv
import io
import math
import tracemalloc
from statistics import NormalDist

import numpy as np
import pytest

from mammoscope.metrics import THRESHOLD_FREE
from mammoscope.metrics.intervals import patient_bootstrap
from mammoscope.metrics.levels import Units
from mammoscope.metrics.scores import roc_auc
from mammoscope.vocabulary import Level


def auc_interval(units, seed=0, replicates=500):
    return patient_bootstrap(units, {"auc": roc_auc}, rng=np.random.default_rng(seed), replicates=replicates)["auc"]


def clustered(rng, *, patients: int, views: int, d_prime: float) -> Units:
    """Views of a patient share their target and half of the variance of their score; AUC is Phi(d'/sqrt 2)."""
    targets = np.repeat(rng.random(patients) < 0.4, views).astype(np.int8)
    shared, own = rng.normal(size=patients), rng.normal(size=patients * views)
    return Units(
        level=Level.image,
        keys=np.arange(patients * views).astype(np.str_),
        patients=np.repeat(np.arange(patients), views).astype(np.str_),
        targets=targets,
        scores=d_prime * targets + math.sqrt(0.5) * (np.repeat(shared, views) + own),
    )


def test_the_same_generator_gives_the_same_interval_and_the_order_of_rows_is_nothing():
    units = clustered(np.random.default_rng(1), patients=60, views=2, d_prime=1.2)
    backwards = Units(
        level=units.level,
        keys=units.keys[::-1],
        patients=units.patients[::-1],
        targets=units.targets[::-1],
        scores=units.scores[::-1],
    )
    assert auc_interval(units, seed=5) == auc_interval(units, seed=5) == auc_interval(backwards, seed=5)
    assert auc_interval(units, seed=5) != auc_interval(units, seed=6)


def test_the_value_is_that_of_the_units_themselves():
    units = clustered(np.random.default_rng(2), patients=80, views=2, d_prime=1.2)
    interval = auc_interval(units)
    assert interval.value == roc_auc(units.targets, units.scores, np.ones((1, len(units))))[0]
    assert 0 < interval.low < interval.value < interval.high < 1
    assert interval.dropped == 0


def test_clustering_widens():
    """Four copies of every unit are no news: the interval must stay, where drawing units would halve it."""
    one = clustered(np.random.default_rng(3), patients=150, views=1, d_prime=1.0)
    copies = {"targets": np.repeat(one.targets, 4), "scores": np.repeat(one.scores, 4), "keys": np.arange(600)}
    by_patient = Units(level=Level.image, patients=np.repeat(one.patients, 4), **copies)
    by_unit = Units(level=Level.image, patients=np.arange(600).astype(np.str_), **copies)
    width = {
        name: (interval := auc_interval(units, replicates=1000)).high - interval.low
        for name, units in {"one": one, "by_patient": by_patient, "by_unit": by_unit}.items()
    }
    assert width["by_patient"] == pytest.approx(width["one"], rel=1e-12)
    assert 1.8 < width["by_patient"] / width["by_unit"] < 2.2


def test_all_metrics_see_the_same_replicates():
    units = clustered(np.random.default_rng(4), patients=40, views=2, d_prime=1.0)
    both = patient_bootstrap(units, {"auc": roc_auc, "again": roc_auc}, rng=np.random.default_rng(0), replicates=200)
    assert both["auc"] == both["again"]


def test_replicates_of_one_class_are_dropped_and_counted(units_of):
    few = auc_interval(units_of([1] * 4 + [0] * 40, [0.9, 0.4, 0.8, 0.7, *np.linspace(0, 0.85, 40)]), replicates=4000)
    assert 0 < few.dropped < 0.1 * 4000  # (40/44)^44 is 1.5 %
    assert few.low < few.value <= few.high


def test_too_many_dropped_replicates_leave_no_interval(units_of):
    lonely = auc_interval(units_of([1] + [0] * 40, [0.7, *np.linspace(0, 0.9, 40)]))
    assert lonely.dropped > 0.1 * 500  # (40/41)^41 is 36 %
    assert math.isnan(lonely.low)
    assert math.isnan(lonely.high)
    assert 0 < lonely.value < 1


def test_one_patient_alone_leaves_no_interval(units_of):
    alone = auc_interval(units_of([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9], patients=["P_00001"] * 4))
    assert (alone.value, alone.dropped) == (0.75, 0)
    assert math.isnan(alone.low)


def test_memory_stays_small():
    units = clustered(np.random.default_rng(5), patients=2000, views=2, d_prime=1.0)
    tracemalloc.start()
    patient_bootstrap(units, THRESHOLD_FREE, rng=np.random.default_rng(0), replicates=200)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 16 * 2**20


@pytest.mark.parametrize(
    ("kind", "value", "low", "high"), [("mass", 0.832, 0.776, 0.879), ("calc", 0.745, 0.656, 0.813)]
)
def test_the_birads_reader_of_the_official_test_set_gets_its_known_interval(shared, kind, value, low, high):
    """Assessment 0, "incomplete", ranks between 3 and 4. Two bootstraps differ by a few thousandths."""
    text = (shared / f"data/cbis_ddsm/csv/{kind}_case_description_test_set.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assessments = np.array([int(row["assessment"]) for row in rows])
    reader = Units(
        level=Level.abnormality,
        keys=np.arange(len(rows)).astype(np.str_),
        patients=np.array([row["patient_id"] for row in rows]),
        targets=np.array([row["pathology"].strip() == "MALIGNANT" for row in rows]).astype(np.int8),
        scores=np.where(assessments == 0, 3.5, assessments),
    )
    interval = auc_interval(reader, replicates=2000)
    assert interval.value == pytest.approx(value, abs=0.0005)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.008)


@pytest.mark.slow
def test_an_interval_covers_the_truth_nineteen_times_in_twenty():
    """At 500 trials of a true 95 % the share falls outside 0.92 to 0.975 once in 200."""
    rng, trials = np.random.default_rng(6), 500
    truth = NormalDist().cdf(1.2 / math.sqrt(2))
    covered = 0
    for _ in range(trials):
        interval = patient_bootstrap(
            clustered(rng, patients=120, views=2, d_prime=1.2), {"auc": roc_auc}, rng=rng, replicates=500
        )["auc"]
        covered += interval.low <= truth <= interval.high
    assert 0.92 <= covered / trials <= 0.975
