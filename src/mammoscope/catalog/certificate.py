"""What a run stood on: which patients and films were in which partition, and that none was in two."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from mammoscope.catalog.pseudonyms import KEY_FILE, key_names
from mammoscope.catalog.reviewed import ReviewedPair, crossing_pairs, sorted_films
from mammoscope.catalog.splits import name_some
from mammoscope.errors import LeakError, MammoscopeError
from mammoscope.records import NearDuplicate, Sample
from mammoscope.vocabulary import CLASSES, Partition, SplitScheme, TargetPolicy

FORMAT = "mammoscope-split-1"
FEWEST_PATIENTS = 2  # of each class in each partition: with one, an interval over patients has no width


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Sorted. Films are hashes of raw pixels (records.Sample.films)."""

    patients: tuple[str, ...]
    films: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    scheme: SplitScheme
    seed: int
    validation_fraction: float
    fold: int | None  # cv5: which of the folds validates
    members: Mapping[Partition, Members]  # all three partitions
    dropped: tuple[str, ...]  # patients whose training rows the scheme left out
    notes: tuple[str, ...]
    reviewed: tuple[ReviewedPair, ...] = ()  # near-duplicates in two partitions that a person found to be two films

    @property
    def manifest(self) -> str:
        """Canonical JSON: what the digest is of."""
        content = {
            "format": FORMAT,
            "scheme": self.scheme,
            "seed": self.seed,
            "validation_fraction": self.validation_fraction,
            "members": {partition: asdict(self.members[partition]) for partition in Partition},
            "dropped": self.dropped,
            "notes": self.notes,
        }
        if self.fold is not None:
            content["fold"] = self.fold
        if self.reviewed:
            content["reviewed"] = [asdict(pair) for pair in self.reviewed]
        return _canonical(content)

    @property
    def digest(self) -> str:
        return _sha256(self.manifest)

    def members_digest(self, partition: Partition) -> str:
        """The same for every split that has the same patients and films in this partition."""
        return _sha256(json.dumps(asdict(self.members[partition]), sort_keys=True))

    def to_json(self) -> str:
        return json.dumps({"digest": self.digest, "manifest": json.loads(self.manifest)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Certificate":
        """Raises: MammoscopeError for what is no certificate, or not the one that was issued."""
        try:
            outer = json.loads(text)
            content = outer["manifest"]
            certificate = cls(
                scheme=SplitScheme(content["scheme"]),
                seed=content["seed"],
                validation_fraction=content["validation_fraction"],
                fold=content.get("fold"),
                members={p: Members(**{k: tuple(v) for k, v in content["members"][p].items()}) for p in Partition},
                dropped=tuple(content["dropped"]),
                notes=tuple(content["notes"]),
                reviewed=tuple(ReviewedPair.from_json(pair) for pair in content.get("reviewed", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MammoscopeError(f"split certificate: no {FORMAT} ({type(error).__name__}: {error})") from error
        # of what was issued: an older version's certificate may say what this one leaves out
        if _sha256(_canonical(content)) != outer.get("digest"):
            raise MammoscopeError(
                f"split certificate: digest {outer.get('digest')} does not fit its content; it was changed by hand"
            )
        return certificate


def _canonical(content: Mapping[str, object]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def certify(
    samples_by_partition: Mapping[Partition, Sequence[Sample]],
    *,
    scheme: SplitScheme,
    seed: int,
    fraction: float,
    fold: int | None = None,
    dropped: Sequence[str],
    classes: Sequence[str] = CLASSES[TargetPolicy.malignancy],
    near: Sequence[NearDuplicate] = (),
    reviewed: Sequence[ReviewedPair] = (),
    needed: Collection[Partition] = tuple(Partition),
) -> Certificate:
    """The certificate of samples in which no patient, film or unreviewed near-duplicate crosses.

    Every partition has all classes.

    needed: the partitions that are used; of the others, none must have all classes.

    Raises:
        LeakError: naming the patients, films or near-duplicates in two partitions.
        MammoscopeError: with the counts, where train, validation or a test that is not empty has too few patients.
    """
    samples = {partition: tuple(samples_by_partition.get(partition, ())) for partition in Partition}
    _check_crossing(samples)
    stood_on = _check_near(samples, near, reviewed)
    used = {p: own for p, own in samples.items() if p in needed}
    check_classes({p: [(s.patient, classes[s.target]) for s in own] for p, own in used.items()}, classes)
    notes = () if samples[Partition.test] else ("the test partition is empty: no file of it is in this source",)
    return Certificate(
        scheme=scheme,
        seed=seed,
        validation_fraction=fraction,
        fold=fold,
        members={partition: _members(own) for partition, own in samples.items()},
        dropped=tuple(sorted(dropped)),
        notes=notes,
        reviewed=stood_on,
    )


def check_against(certificate: Certificate, samples: Sequence[Sample], partition: Partition) -> None:
    """That none of the samples to be scored as `partition` was seen by the run that the certificate is of.

    Seen is what it trained on, and what it chose its threshold and checkpoint on; the latter may be scored as
    validation.

    Raises:
        LeakError: naming the patients or films.
        MammoscopeError: where both go by pseudonyms, but under different keys, so that patients cannot be compared.
    """
    _check_keys(certificate, samples)
    seen = [Partition.train] if partition is Partition.validation else [Partition.train, Partition.validation]
    patients, films = {s.patient for s in samples}, {film: s.id for s in samples for film in s.films}
    for other in seen:
        members = certificate.members[other]
        verb = "trained" if other is Partition.train else "validated"
        if shared := patients & set(members.patients):
            raise LeakError(
                f"{len(shared)} patients of the {partition} partition to be scored were {verb} on by this run "
                f"({name_some(shared)}). Ways out: the run's own source, or a source without them"
            )
        if same := films.keys() & set(members.films):
            ids = name_some([f"{films[film]} (film {film})" for film in same])
            raise LeakError(
                f"{len(same)} films of the {partition} partition to be scored were {verb} on by this run, under "
                f"another patient: {ids}. Ways out: the run's own source, or a source without them"
            )


def _check_keys(certificate: Certificate, samples: Sequence[Sample]) -> None:
    theirs = key_names(patient for members in certificate.members.values() for patient in members.patients)
    ours = key_names(sample.patient for sample in samples)
    if theirs and ours and theirs != ours:
        raise MammoscopeError(
            f"this run's patients are named under the key {', '.join(sorted(theirs))}, those to be scored under "
            f"{', '.join(sorted(ours))}: whether they are the same people, nobody can tell; allowed: the run's own "
            f"key, as {KEY_FILE} in tracking.home"
        )


def _members(samples: Sequence[Sample]) -> Members:
    return Members(
        patients=tuple(sorted({s.patient for s in samples})),
        films=tuple(sorted({film for s in samples for film in s.films})),
    )


def _check_crossing(samples: Mapping[Partition, Sequence[Sample]]) -> None:
    patients: dict[str, set[Partition]] = defaultdict(set)
    films: dict[str, dict[Partition, str]] = defaultdict(dict)
    for partition, own in samples.items():
        for sample in own:
            patients[sample.patient].add(partition)
            for film in sample.films:
                films[film][partition] = sample.id
    if crossing := [patient for patient, where in patients.items() if len(where) > 1]:
        raise LeakError(
            f"{len(crossing)} patients stand in more than one partition ({name_some(crossing)}). "
            "Ways out: split=official_strict, or one kind: data=mass or data=calc"
        )
    if same := [" = ".join(f"{id} in {p}" for p, id in where.items()) for where in films.values() if len(where) > 1]:
        raise LeakError(
            f"{len(same)} films stand in more than one partition, pixel for pixel, under different patients: "
            f"{name_some(same)}. Ways out: one kind (data=mass or data=calc), another split.seed, or a source "
            "without one of each"
        )


def _check_near(
    samples: Mapping[Partition, Sequence[Sample]], near: Sequence[NearDuplicate], reviewed: Sequence[ReviewedPair]
) -> tuple[ReviewedPair, ...]:
    """The reviews without which these samples would be refused."""
    allowed = {pair.films: pair for pair in reviewed}
    stood_on, refused = [], []
    for pair, partitions in crossing_pairs(samples, near):
        review = allowed.get(sorted_films(pair))
        if review is not None:
            names = dict(zip(pair.films, pair.mammograms, strict=True))
            # as the catalog names them: the file's names are no part of the check, and may be anybody's own
            stood_on.append(replace(review, mammograms=(names[review.films[0]], names[review.films[1]])))
            continue
        named = zip(pair.mammograms, pair.patients, partitions, strict=True)
        words = " = ".join(f"{mammogram} ({patient}, {partition})" for mammogram, patient, partition in named)
        refused.append(f"{words} at correlation {pair.correlation:.4f}")
    if refused:
        raise LeakError(
            f"{len(refused)} pairs of films stand in two partitions under different patients and look like one film: "
            f"{name_some(refused)}. Ways out: look at them, and record those that are two films in split.allow=<file>; "
            "else another split.seed, or a source without one of each"
        )
    return tuple(stood_on)


def check_classes(rows: Mapping[Partition, Sequence[tuple[str, str]]], classes: Sequence[str]) -> None:
    """Rows are (patient, class); classes are those that each partition must have.

    Raises MammoscopeError, with the counts, where train, validation or a test that is not empty has too few patients.
    """
    counts = {
        partition: {name: len({patient for patient, own in pairs if own == name}) for name in classes}
        for partition, pairs in rows.items()
    }
    too_few = [
        partition
        for partition, found in counts.items()
        if min(found.values()) < FEWEST_PATIENTS and (partition is not Partition.test or rows[partition])
    ]
    if too_few:
        words = "; ".join(
            f"{partition}: {', '.join(f'{count} {name}' for name, count in found.items())}"
            for partition, found in counts.items()
        )
        raise MammoscopeError(
            f"split: too few patients of a class in {' and '.join(too_few)} ({words}); allowed: {FEWEST_PATIENTS} or "
            "more of each. Ways out: more files, another split.validation_fraction or split.seed, view=both or data=all"
        )
