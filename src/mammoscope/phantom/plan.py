"""Who is in the phantom: patients, breasts, views, abnormalities, their truth and the published split. No pixels.

What small phantoms must have too (a patient of both kinds who crosses the split, an image of mixed pathology, a breast
with one view, both classes in each partition) is dealt out in numbers, not left to chance. So are the latents along the
one direction that tells the classes apart: a partition of fifty patients then has the ideal AUC, and not one that is
0.1 off by bad luck.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mammoscope.config import PhantomConfig
from mammoscope.phantom.habits import CBIS_DDSM, Habits
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, View

BOTH_KINDS, MALIGNANT, BILATERAL, TWO_FINDINGS, ONE_VIEW, CROSSING, SAME_BREAST = 0.2, 0.45, 0.2, 0.14, 0.1, 0.1, 0.5
MASS, CALC = AbnormalityKind.mass, AbnormalityKind.calc
Published = list[dict[AbnormalityKind, Partition]]  # by patient, counted from 0
Slot = tuple[int, Laterality, AbnormalityKind]  # what one patient has of one kind in one breast


@dataclass(frozen=True, slots=True)
class PlannedAbnormality:
    kind: AbnormalityKind
    number: int  # "abnormality id": counts through both kinds of a breast
    malignant: bool
    deviation: float  # of its latents from their class mean along ideal.DIRECTION: standard normal


@dataclass(frozen=True, slots=True)
class PlannedBreast:
    laterality: Laterality
    views: tuple[View, ...]
    abnormalities: tuple[PlannedAbnormality, ...]

    def of_kind(self, kind: AbnormalityKind) -> tuple[PlannedAbnormality, ...]:
        return tuple(a for a in self.abnormalities if a.kind is kind)


@dataclass(frozen=True, slots=True)
class PlannedPatient:
    number: int  # from 1: P_00001
    published: tuple[tuple[AbnormalityKind, Partition], ...]  # one entry a kind that the patient has
    breasts: tuple[PlannedBreast, ...]
    habits: Habits = CBIS_DDSM
    drawn_as: int | None = None  # the number of the patient whose films this one has too

    @property
    def name(self) -> str:
        return f"P_{self.number:05d}"


def plan_patients(config: PhantomConfig) -> tuple[PlannedPatient, ...]:
    """In the order of their numbers."""
    rng = np.random.default_rng([config.seed, 0])
    published = _publish(rng, config)
    slots = _slots(rng, published)
    truths = _truths(rng, published, slots)
    deviations = _deviations(rng, published, truths)
    views = _views(rng, sorted({slot[:2] for slot in slots}))
    return tuple(
        PlannedPatient(number + 1, tuple(partitions.items()), _breasts(number, truths, deviations, views))
        for number, partitions in enumerate(published)
    )


def _publish(rng: np.random.Generator, config: PhantomConfig) -> Published:
    """Patients of both kinds are mostly on the same side of both splits, as in CBIS-DDSM; some cross, at least one."""
    order = [int(number) for number in rng.permutation(config.patients)]
    both = round(BOTH_KINDS * config.patients)
    masses = (config.patients - both) // 2
    shared, alone = order[:both], {MASS: order[both : both + masses], CALC: order[both + masses :]}
    tests = {kind: _tests(config.test_fraction, both + len(alone[kind])) for kind in alone}
    crossing = min(max(1, round(CROSSING * both)), *tests.values())
    crossers = {MASS: shared[:crossing:2], CALC: shared[1:crossing:2]}  # who is test in this kind alone
    room = min(tests[kind] - len(crossers[kind]) for kind in alone)
    in_both = shared[crossing:][: min(room, round(config.test_fraction * both))]
    published: Published = [{} for _ in order]
    for kind in (MASS, CALC):
        tested = {*crossers[kind], *in_both}
        tested |= set(alone[kind][: tests[kind] - len(tested)])
        for number in shared + alone[kind]:
            published[number][kind] = Partition.test if number in tested else Partition.train
    return published


def _tests(fraction: float, patients: int) -> int:
    """How many patients of a kind are published as test: at least four on either side where there are that many."""
    fewest = min(4, patients // 2)
    return int(np.clip(round(fraction * patients), fewest, patients - fewest))


def _slots(rng: np.random.Generator, published: Published) -> list[Slot]:
    left_right = list(Laterality)
    slots: list[Slot] = []
    for number, partitions in enumerate(published):
        first = left_right[rng.integers(2)]
        other = left_right[1 - left_right.index(first)]
        bilateral, same = rng.random() < BILATERAL, rng.random() < SAME_BREAST
        if len(partitions) == 1:
            slots += [
                (number, side, kind) for kind in partitions for side in ((first, other) if bilateral else (first,))
            ]
        else:  # those who cross the split have one film in both, or the crossing would be of no use to a test
            crosses = len(set(partitions.values())) == 2
            slots += [(number, first, MASS), (number, first if same or crosses else other, CALC)]
    return slots


def _truths(rng: np.random.Generator, published: Published, slots: list[Slot]) -> dict[Slot, list[bool]]:
    """Malignant or not, of each abnormality of each slot. The first of a patient fill a quota, the others are free."""
    firsts: dict[tuple[int, AbnormalityKind], bool] = {}
    for kind in (MASS, CALC):
        for partition in (Partition.train, Partition.test):
            members = [n for n, partitions in enumerate(published) if partitions.get(kind) is partition]
            fewest = min(2, len(members) // 2)
            malignant = int(np.clip(round(MALIGNANT * len(members)), fewest, len(members) - fewest))
            firsts |= {
                (n, kind): bool(rank < malignant)
                for n, rank in zip(members, rng.permutation(len(members)), strict=True)
            }
    truths = {slot: [firsts.pop((slot[0], slot[2]), bool(rng.random() < MALIGNANT))] for slot in slots}
    doubles = rng.permutation(len(slots))[: max(2, round(TWO_FINDINGS * len(slots)))]
    for rank, index in enumerate(doubles):
        first = truths[slots[index]]
        first.append(not first[0] if rank == 0 else bool(rng.random() < MALIGNANT))
    return truths


def _deviations(
    rng: np.random.Generator, published: Published, truths: dict[Slot, list[bool]]
) -> dict[Slot, list[float]]:
    """Standard normal; within kind, partition and class one from each of n equally likely intervals."""
    groups: dict[tuple[AbnormalityKind, Partition, bool], list[Slot]] = {}
    for slot, malignant in truths.items():
        for truth in malignant:
            groups.setdefault((slot[2], published[slot[0]][slot[2]], truth), []).append(slot)
    deviations: dict[tuple[Slot, bool], list[float]] = {}
    for (_, _, truth), members in groups.items():
        ranks = (rng.permutation(len(members)) + rng.uniform(1e-6, 1, len(members))) / len(members)
        for slot, rank in zip(members, ranks, strict=True):
            deviations.setdefault((slot, truth), []).append(NormalDist().inv_cdf(float(rank)))
    return {slot: [deviations[slot, truth].pop() for truth in malignant] for slot, malignant in truths.items()}


def _views(
    rng: np.random.Generator, breasts: list[tuple[int, Laterality]]
) -> dict[tuple[int, Laterality], tuple[View, ...]]:
    single = set(rng.permutation(len(breasts))[: max(1, round(ONE_VIEW * len(breasts)))].tolist())
    which = rng.integers(2, size=len(breasts))
    return {b: (list(View)[which[i]],) if i in single else tuple(View) for i, b in enumerate(breasts)}


def _breasts(
    number: int,
    truths: dict[Slot, list[bool]],
    deviations: dict[Slot, list[float]],
    views: dict[tuple[int, Laterality], tuple[View, ...]],
) -> tuple[PlannedBreast, ...]:
    breasts = []
    for side in Laterality:
        slots = [(number, side, kind) for kind in (MASS, CALC) if (number, side, kind) in truths]
        findings = [(s[2], truth, off) for s in slots for truth, off in zip(truths[s], deviations[s], strict=True)]
        numbered = tuple(PlannedAbnormality(kind, k, truth, off) for k, (kind, truth, off) in enumerate(findings, 1))
        if numbered:
            breasts.append(PlannedBreast(side, views[number, side], numbered))
    return tuple(breasts)
