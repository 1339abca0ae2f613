"""What is certified, what is refused, and what a certificate says of other samples."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from mammoscope.catalog.certificate import Certificate, certify, check_against
from mammoscope.catalog.reviewed import ReviewedPair
from mammoscope.errors import LeakError, MammoscopeError
from mammoscope.records import NearDuplicate, Sample, StoredImage
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, SplitScheme, View

Samples = dict[Partition, list[Sample]]
TRAIN, VALIDATION, TEST = Partition


def sample(number: int, target: int, published: Partition) -> Sample:
    return Sample(
        id=f"Mass_P_{number:05d}_LEFT_CC_1",
        patient=f"P_{number:05d}",
        laterality=Laterality.left,
        views=(View.CC,),
        kinds=(AbnormalityKind.mass,),
        films=(f"{number:032x}",),
        published=published,
        target=target,
        malignant=target,
        abnormalities=(),
        density=2,
        images=(StoredImage("store", number),),
    )


@pytest.fixture
def samples() -> Samples:
    """Two patients of each class in each partition: the fewest that are allowed."""
    return {
        partition: [sample(10 * place + n, n % 2, TEST if partition is TEST else TRAIN) for n in range(4)]
        for place, partition in enumerate(Partition)
    }


@pytest.fixture
def issue() -> Callable[..., Certificate]:
    def _issue(samples: Samples, dropped: tuple[str, ...] = ()) -> Certificate:
        return certify(samples, scheme=SplitScheme.official_strict, seed=0, fraction=0.2, dropped=dropped)

    return _issue


def test_the_manifest_names_patients_and_films(samples, issue):
    certificate = issue(samples, dropped=("P_00099", "P_00098"))
    assert certificate.members[VALIDATION].patients == ("P_00010", "P_00011", "P_00012", "P_00013")
    assert certificate.members[TEST].films[0] == f"{20:032x}"
    assert certificate.dropped == ("P_00098", "P_00099")
    assert certificate.notes == ()
    content = json.loads(certificate.manifest)
    assert content["members"]["train"]["patients"] == ["P_00000", "P_00001", "P_00002", "P_00003"]
    assert (content["scheme"], content["seed"], content["validation_fraction"]) == ("official_strict", 0, 0.2)


def test_the_digest_is_of_the_content_alone(samples, issue):
    first = issue(samples)
    assert issue({p: samples[p][::-1] for p in reversed(Partition)}).digest == first.digest
    samples[TRAIN].append(sample(5, 0, TRAIN))
    assert issue(samples).digest != first.digest
    # a published run stands on it: a change of format moves it, and must say so
    assert first.digest[:12] == "0ecca35dcc2b"


def test_json_round_trip_and_changes_by_hand(samples, issue):
    certificate = issue(samples)
    text = certificate.to_json()
    assert Certificate.from_json(text) == certificate
    with pytest.raises(MammoscopeError, match="changed by hand"):
        Certificate.from_json(text.replace("P_00010", "P_00510"))
    for other in ("", "[]", "{}", "null", '{"manifest": {"scheme": "cv9"}}'):
        with pytest.raises(MammoscopeError, match="split certificate: no mammoscope-split-1"):
            Certificate.from_json(other)


@pytest.mark.parametrize("partition", [TEST, VALIDATION])
def test_a_patient_in_two_partitions(samples, issue, partition):
    samples[partition].append(replace(samples[TRAIN][2], films=("f" * 32,)))
    with pytest.raises(LeakError, match=r"1 patients stand in more than one partition \(P_00002\).*official_strict"):
        issue(samples)


def test_a_film_in_two_partitions_under_two_patients(samples, issue):
    samples[TEST].append(replace(sample(77, 0, TEST), films=samples[TRAIN][2].films))
    with pytest.raises(LeakError) as caught:
        issue(samples)
    words = str(caught.value)
    assert "Mass_P_00002_LEFT_CC_1 in train = Mass_P_00077_LEFT_CC_1 in test" in words
    assert "Ways out" in words


def test_many_are_counted_and_some_are_named(samples, issue):
    samples[TRAIN] += [sample(n, n % 2, TRAIN) for n in range(100, 157)]
    samples[TEST] += [sample(n, n % 2, TEST) for n in range(100, 157)]
    with pytest.raises(LeakError, match=r"57 patients .*\(P_00100, .*, P_00149 and 7 more\)"):
        issue(samples)


@pytest.mark.parametrize("partition", list(Partition))
@pytest.mark.parametrize("target", [0, 1])
def test_one_patient_of_a_class_is_too_few(samples, issue, partition, target):
    gone = next(s for s in samples[partition] if s.target == target)
    samples[partition].remove(gone)
    other = next(s for s in samples[partition] if s.target == target)
    samples[partition].append(replace(other, id="another view of the same patient", films=("a" * 32,)))
    with pytest.raises(MammoscopeError) as caught:
        issue(samples)
    benign, malignant = (1, 2) if target == 0 else (2, 1)
    assert f"too few patients of a class in {partition} (" in str(caught.value)
    assert f"{partition}: {benign} benign, {malignant} malignant" in str(caught.value)


def test_an_empty_test_partition_is_allowed_and_said(samples, issue):
    samples[TEST] = []
    certificate = issue(samples)
    assert certificate.members[TEST].patients == ()
    assert "test partition is empty" in certificate.notes[0]
    samples[VALIDATION] = []
    with pytest.raises(MammoscopeError, match="validation: 0 benign, 0 malignant"):
        issue(samples)


def test_scoring_elsewhere(samples, issue):
    certificate = issue(samples)
    check_against(certificate, samples[TEST], TEST)
    check_against(certificate, samples[VALIDATION], VALIDATION)
    check_against(certificate, [sample(500, 0, TEST)], TEST)
    with pytest.raises(LeakError, match=r"4 patients .* were validated on by this run \(P_00010"):
        check_against(certificate, samples[VALIDATION], TEST)
    for partition in (TEST, VALIDATION):
        with pytest.raises(LeakError, match=r"1 patients of the .* were trained on by this run \(P_00001\)"):
            check_against(certificate, [sample(500, 0, TEST), samples[TRAIN][1]], partition)
        film = replace(sample(500, 0, TEST), films=samples[TRAIN][1].films)
        with pytest.raises(LeakError, match=r"1 films .* trained on .*Mass_P_00500_LEFT_CC_1 \(film 0+1\)"):
            check_against(certificate, [film], partition)


def test_a_fold_is_part_of_the_manifest_and_without_one_nothing_changes(samples, issue):
    plain = issue(samples)
    assert "fold" not in json.loads(plain.manifest)
    folded = certify(samples, scheme=SplitScheme.cv5, seed=0, fraction=0.2, fold=3, dropped=())
    assert Certificate.from_json(folded.to_json()).fold == 3
    assert folded.digest != certify(samples, scheme=SplitScheme.cv5, seed=0, fraction=0.2, fold=2, dropped=()).digest


def near(one: Sample, other: Sample) -> NearDuplicate:
    return NearDuplicate(
        mammograms=(one.id, other.id),
        patients=(one.patient, other.patient),
        films=(one.films[0], other.films[0]),
        correlation=0.9951,
    )


def review(pair: NearDuplicate) -> ReviewedPair:
    films = tuple(sorted(pair.films))
    return ReviewedPair(mammograms=pair.mammograms, films=films, when="2026-11-25")


def certified(samples: Samples, *pairs: NearDuplicate, reviewed: tuple[ReviewedPair, ...] = ()) -> Certificate:
    scheme = SplitScheme.official_strict
    return certify(samples, scheme=scheme, seed=0, fraction=0.2, dropped=(), near=pairs, reviewed=reviewed)


def test_a_near_duplicate_in_two_partitions_is_a_leak(samples):
    with pytest.raises(LeakError) as caught:
        certified(samples, near(samples[TRAIN][0], samples[TEST][1]))
    assert "Mass_P_00000_LEFT_CC_1 (P_00000, train) = Mass_P_00021_LEFT_CC_1 (P_00021, test)" in str(caught.value)
    assert "correlation 0.9951" in str(caught.value)
    assert "split.allow=<file>" in str(caught.value)


def test_a_near_duplicate_within_a_partition_or_outside_of_all_is_none(samples, issue):
    within = near(samples[TRAIN][0], samples[TRAIN][1])
    elsewhere = near(samples[TRAIN][0], sample(99, 0, TRAIN))
    assert certified(samples, within, elsewhere).digest == issue(samples).digest


def test_a_certificate_names_the_reviews_that_it_stood_on(samples, issue):
    crossing, within = near(samples[TRAIN][0], samples[TEST][1]), near(samples[TEST][0], samples[TEST][1])
    certificate = certified(samples, crossing, within, reviewed=(review(crossing), review(within)))
    assert certificate.reviewed == (review(crossing),)
    assert Certificate.from_json(certificate.to_json()) == certificate
    assert certificate.digest != issue(samples).digest


def test_a_certificate_has_the_names_of_the_catalog_not_those_of_the_file(samples):
    crossing = near(samples[TEST][1], samples[TRAIN][0])
    certificate = certified(samples, crossing, reviewed=(replace(review(crossing), mammograms=("Ann", "Bea")),))
    assert certificate.reviewed[0].films == (samples[TRAIN][0].films[0], samples[TEST][1].films[0])
    assert certificate.reviewed[0].mammograms == (samples[TRAIN][0].id, samples[TEST][1].id)


def test_a_certificate_that_has_its_reviewer_and_the_words_is_read_without(samples):
    """As they were issued once."""
    crossing = near(samples[TRAIN][0], samples[TEST][1])
    certificate = certified(samples, crossing, reviewed=(review(crossing),))
    manifest = json.loads(certificate.manifest)
    manifest["reviewed"][0] |= {"who": "R. Reader", "why": "sisters"}
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    issued = {"digest": hashlib.sha256(canonical.encode()).hexdigest(), "manifest": manifest}
    assert Certificate.from_json(json.dumps(issued)) == certificate


def test_a_review_of_other_pixels_does_not_hold(samples):
    crossing = near(samples[TRAIN][0], samples[TEST][1])
    other = replace(review(crossing), films=(crossing.films[0], "f" * 32))
    with pytest.raises(LeakError):
        certified(samples, crossing, reviewed=(other,))
