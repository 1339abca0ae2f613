"""Who carries which fault. Each fault has patients of its own, so that no two disturb each other; all others have none.

The carriers come last: in front of them lies a phantom of as many patients fewer, less all that it has by nature.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom.habits import FAULTLESS
from mammoscope.phantom.plan import (
    CALC,
    MASS,
    PlannedAbnormality,
    PlannedBreast,
    PlannedPatient,
    plan_patients,
)
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, Trap, View

Carriers = Callable[[np.random.Generator, int], tuple[PlannedPatient, ...]]  # the int: the first one's number
FEWEST_OTHERS = 12  # a phantom needs as many to have both classes in each partition


@dataclass(frozen=True, slots=True)
class FaultyPlan:
    patients: tuple[PlannedPatient, ...]  # in the order of their numbers
    carriers: Mapping[Trap, slice]  # of the patients; in the order of Trap
    namespace: str  # what the tree's UIDs are made from


def plan_carriers(config: PhantomConfig, wanted: Mapping[Trap, Carriers]) -> FaultyPlan:
    """Raises MammoscopeError where phantom.patients has no room for them."""
    rng = np.random.default_rng([config.seed, 2])
    count = sum(len(carriers(rng, 1)) for carriers in wanted.values())
    others = config.patients - count
    if others < FEWEST_OTHERS:
        raise MammoscopeError(
            f"phantom.patients={config.patients}: --faults gives {count} patients to {len(wanted)} faults; "
            f"allowed: at least {count + FEWEST_OTHERS}"
        )
    patients = [_faultless(patient) for patient in plan_patients(replace(config, patients=others))]
    dealt: dict[Trap, slice] = {}
    for trap, carriers in wanted.items():
        first = len(patients)
        patients += carriers(rng, first + 1)
        dealt[trap] = slice(first, len(patients))
    return FaultyPlan(tuple(patients), dealt, f"{config!r} {','.join(dealt)}")


def _faultless(patient: PlannedPatient) -> PlannedPatient:
    """Of one kind alone, so in one partition and no film twice; and of one truth on each film."""
    kind, partition = patient.published[0]
    breasts = []
    for breast in patient.breasts:
        own = breast.of_kind(kind)
        alike = [a for a in own if a.malignant is own[0].malignant]
        if alike:
            numbered = tuple(replace(a, number=k) for k, a in enumerate(alike, 1))
            breasts.append(replace(breast, abnormalities=numbered))
    return replace(patient, published=((kind, partition),), breasts=tuple(breasts), habits=FAULTLESS)


def one(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    """The usual carrier: one mass in one breast, seen in both views, published in train."""
    return (_patient(number, {MASS: Partition.train}, _breast(rng, number, (MASS, number % 4 < 2))),)


def two_who_cross(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    """In train of one kind and in test of the other; a breast for each, so that no film is in both."""
    train, test = Partition.train, Partition.test
    both = ({MASS: train, CALC: test}, {MASS: test, CALC: train})
    return tuple(
        _patient(n, published, _breast(rng, 0, (MASS, n % 2 == 0)), _breast(rng, 1, (CALC, n % 2 == 0)))
        for n, published in enumerate(both, number)
    )


def two_alike(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    """The second has the first one's films."""
    (first,) = one(rng, number)
    return first, replace(first, number=number + 1, drawn_as=number)


def one_of_both_kinds(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    published = {MASS: Partition.train, CALC: Partition.train}
    return (_patient(number, published, _breast(rng, number, (MASS, True), (CALC, True))),)


def one_of_both_truths(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    return (_patient(number, {MASS: Partition.train}, _breast(rng, number, (MASS, True), (MASS, False))),)


def one_mirrored(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    return tuple(replace(patient, habits=replace(FAULTLESS, mirrored=1)) for patient in one(rng, number))


def one_in_separate_series(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    return tuple(replace(patient, habits=replace(FAULTLESS, separate_series=1)) for patient in one(rng, number))


def one_not_assessed(rng: np.random.Generator, number: int) -> tuple[PlannedPatient, ...]:
    always = replace(FAULTLESS, incomplete=dict.fromkeys(AbnormalityKind, 1.0))
    return tuple(replace(patient, habits=always) for patient in one(rng, number))


def _patient(number: int, published: dict[AbnormalityKind, Partition], *breasts: PlannedBreast) -> PlannedPatient:
    return PlannedPatient(number, tuple(published.items()), breasts, FAULTLESS)


def _breast(rng: np.random.Generator, side: int, *findings: tuple[AbnormalityKind, bool]) -> PlannedBreast:
    planned = (PlannedAbnormality(kind, k, malignant, rng.normal()) for k, (kind, malignant) in enumerate(findings, 1))
    return PlannedBreast(list(Laterality)[side % 2], tuple(View), tuple(planned))
