"""Which patient stands in which partition. Decided on the rows of the case descriptions, never on the files at hand:
so a partial download, another view or a file that is added later moves no patient between train and validation or test.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mammoscope.catalog.selection import select_rows, target_of
from mammoscope.errors import LeakError, MammoscopeError
from mammoscope.records import Abnormality, Catalog, Sample
from mammoscope.vocabulary import CV_FOLDS, AbnormalityKind, Partition, SplitScheme, TargetPolicy, View

NAMED: Final = 50  # patients that a message names; the rest is counted

Stratum = tuple[bool, tuple[AbnormalityKind, ...]]  # (any malignant abnormality, kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    scheme: SplitScheme
    seed: int
    validation_fraction: float
    fold: int | None  # cv5: which of the folds validates
    partitions: Mapping[str, Partition]  # by patient: all who have a row that counts
    dropped: tuple[str, ...]  # official_strict: patients of test, whose rows published as train are left out

    def partition_of(self, row: Abnormality | Sample) -> Partition | None:
        """None: left out. A patient of test keeps the rows that were published as test, and no other.

        Where nothing was published (`carved`), a patient's rows go where the patient goes.
        """
        partition = self.partitions.get(row.patient)
        if self.scheme is SplitScheme.carved:
            return partition
        return partition if (partition is Partition.test) == (row.published is Partition.test) else None


def assign_partitions(
    catalog: Catalog,
    kinds: Sequence[AbnormalityKind],
    views: Sequence[View],
    scheme: SplitScheme,
    seed: int,
    validation_fraction: float,
    policy: TargetPolicy,
    fold: int | None = None,
) -> Assignment:
    """Train and test as published, less what the scheme leaves out; validation carved out of train, by patient.

    fold: under `cv5`, which of its folds is validation; None under the others.

    Who is left out depends on the kinds alone: a patient whose test rows are of the other view is still one of test.

    Raises:
        LeakError: under `official`, where a patient stands in train and in test.
        MammoscopeError: for a kind or view that the source does not name, a fraction outside (0, 1).
    """
    if not 0 < validation_fraction < 1:
        raise MammoscopeError(f"split.validation_fraction={validation_fraction}; allowed: above 0 and below 1")
    check_named(catalog, kinds, views)
    of_kinds = [a for a in catalog.abnormalities if a.kind in kinds]
    test = {a.patient for a in of_kinds if a.published is Partition.test}
    crossing = sorted(test & {a.patient for a in of_kinds if a.published is Partition.train})
    if crossing and scheme is SplitScheme.official:
        raise LeakError(_crossing_words(crossing, kinds))
    rows = select_rows(catalog, kinds, views, policy)
    train_rows = [a for a in rows if a.published is Partition.train and a.patient not in test]
    # over all rows of the kinds, so that view=cc, view=both and either target policy share their validation patients
    candidates = [a for a in of_kinds if a.published is Partition.train and a.patient not in test]
    if scheme is SplitScheme.cv5:
        validation = frozenset(patient for patient, own in deal_folds(candidates, seed).items() if own == fold)
    else:
        validation = carve(strata(candidates), validation_fraction, seed)
    partitions = {a.patient: Partition.test for a in rows if a.published is Partition.test}
    for row in train_rows:
        partitions[row.patient] = Partition.validation if row.patient in validation else Partition.train
    return Assignment(
        scheme=scheme,
        seed=seed,
        validation_fraction=validation_fraction,
        fold=fold,
        partitions=MappingProxyType(dict(sorted(partitions.items()))),
        dropped=tuple(crossing),
    )


def strata(rows: Sequence[Abnormality]) -> dict[str, Stratum]:
    """Each patient with whether any row is malignant, and of which kinds the rows are."""
    by_patient: dict[str, list[Abnormality]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient].append(row)
    return {
        patient: (any(target_of(a) for a in own), tuple(sorted({a.kind for a in own})))
        for patient, own in by_patient.items()
    }


def carve(strata: Mapping[str, Stratum], fraction: float, seed: int) -> frozenset[str]:
    """The patients of validation: from every stratum its share, by largest remainder, so that the shares add up.

    Within a stratum the patients with the lowest hash of seed and name are taken.
    """
    members: dict[Stratum, list[str]] = defaultdict(list)
    for patient, stratum in strata.items():
        members[stratum].append(patient)
    shares = {stratum: fraction * len(patients) for stratum, patients in members.items()}
    takes = {stratum: math.floor(share) for stratum, share in shares.items()}
    left = round(fraction * len(strata)) - sum(takes.values())
    for stratum in sorted(shares, key=lambda s: (takes[s] - shares[s], s))[:left]:
        takes[stratum] += 1
    return frozenset(
        patient
        for stratum, patients in members.items()
        for patient in sorted(patients, key=lambda p: _draw(seed, p))[: takes[stratum]]
    )


def deal_folds(rows: Sequence[Abnormality], seed: int) -> dict[str, int]:
    """Each patient's fold, 0 to 4: dealt out stratum after stratum (kinds x malignancy x density), without a new start.

    So the folds' sizes differ by one patient at most, and so do their shares of every stratum. Within a stratum the
    order is that of the hash of seed and name.
    """
    density: dict[str, int] = defaultdict(int)
    for row in rows:
        density[row.patient] = max(density[row.patient], row.density)
    stratum_of = {patient: (*stratum, density[patient]) for patient, stratum in strata(rows).items()}
    order = sorted(stratum_of, key=lambda patient: (stratum_of[patient], _draw(seed, patient)))
    return {patient: place % CV_FOLDS for place, patient in enumerate(order)}


def name_some(names: Collection[str]) -> str:
    """P_00001, P_00002 and 29 more."""
    first = ", ".join(sorted(names)[:NAMED])
    return f"{first} and {len(names) - NAMED} more" if len(names) > NAMED else first


def _draw(seed: int, patient: str) -> bytes:
    return hashlib.sha256(f"{seed}/{patient}".encode()).digest()


def check_named(catalog: Catalog, kinds: Sequence[AbnormalityKind], views: Sequence[View]) -> None:
    """Raises MammoscopeError for a kind or view that the source does not name."""
    has_kinds = sorted({a.kind for a in catalog.abnormalities})
    for kind in kinds:
        if kind not in has_kinds:
            raise MammoscopeError(f"data: no {kind} in this source; it names: {', '.join(has_kinds)}")
    has_views = sorted({a.view for a in catalog.abnormalities if a.kind in kinds})
    for view in views:
        if view not in has_views:
            raise MammoscopeError(f"view: no {view} in this source; it names: {', '.join(has_views)}")


def _crossing_words(crossing: Sequence[str], kinds: Sequence[AbnormalityKind]) -> str:
    one_kind = "; or one kind: " + " or ".join(f"data={kind}" for kind in kinds) if len(kinds) > 1 else ""
    return (
        f"split=official with {' and '.join(kinds)}: {len(crossing)} patients stand in train and in test "
        f"({name_some(crossing)}). Ways out: split=official_strict, which leaves their training rows out{one_kind}"
    )
