"""The columns of a factorial model, and which of its effects the values at hand determine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from mammoscope.errors import MammoscopeError

ALIASED = 1e-10  # an eigenvalue that is zero, as a share of the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    levels: Mapping[str, str]  # of each factor
    value: float
    block: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """An interaction that is not in the model, because the combinations seen do not determine it."""

    factors: tuple[str, ...]
    never_seen: tuple[tuple[str, ...], ...]  # its combinations without a value; none: others stand in its way


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of the model that belong together."""

    factors: tuple[str, ...]  # none: the blocks
    levels: tuple[tuple[str, ...], ...]  # (cells)
    coding: np.ndarray  # (cells, df), each column adds up to zero
    cells: np.ndarray  # (n,), of each value

    @property
    def columns(self) -> np.ndarray:
        return self.coding[self.cells]


@dataclass(frozen=True, slots=True)
class Design:
    factors: Mapping[str, tuple[str, ...]]  # with the levels that were seen, two or more
    mains: list[Part]
    pairs: list[Part]
    block: Part | None
    omitted: tuple[Omitted, ...]
    unseen: tuple[tuple[str, str], ...]  # (factor, level) without a value

    @property
    def parts(self) -> list[Part]:
        return [*self.mains, *self.pairs, *([] if self.block is None else [self.block])]


def design_of(factors: Mapping[str, Sequence[str]], observations: Sequence[Observation]) -> Design:
    """What can be estimated of main effects, interactions of two and blocks. Raises MammoscopeError."""
    seen, unseen = _seen(factors, observations)
    mains = [_coded((name,), levels, [one.levels[name] for one in observations]) for name, levels in seen.items()]
    _refuse_confounded(mains, len(observations))
    block = _block(mains, observations)
    base = mains if block is None else [block, *mains]
    pairs, omitted = _estimable(base, [_pair(*two) for two in combinations(mains, 2)], len(observations))
    return Design(seen, mains, pairs, block, omitted, unseen)


def _seen(
    factors: Mapping[str, Sequence[str]], observations: Sequence[Observation]
) -> tuple[dict[str, tuple[str, ...]], tuple[tuple[str, str], ...]]:
    """Factors with two levels or more that have values, and the levels that have none."""
    for observation in observations:
        told = " ".join(f"{name}={level}" for name, level in observation.levels.items())
        if not np.isfinite(observation.value):
            raise MammoscopeError(f"effects: the value of {told} is {observation.value}; allowed: finite numbers")
        for name, levels in factors.items():
            if observation.levels.get(name) not in levels:
                raise MammoscopeError(f"effects: {told}: allowed: {name} of {', '.join(levels)}")
    found = {name: {observation.levels[name] for observation in observations} for name in factors}
    seen = {name: tuple(level for level in levels if level in found[name]) for name, levels in factors.items()}
    unseen = tuple((name, level) for name, levels in factors.items() for level in levels if level not in found[name])
    several = {name: levels for name, levels in seen.items() if len(levels) > 1}
    if not several:
        raise MammoscopeError(
            f"effects: {len(observations)} values, and no factor with two levels among them; missing: values of other "
            f"levels of {', '.join(factors) or 'a factor'}"
        )
    return several, unseen


def _coded(factors: tuple[str, ...], levels: Sequence[str], chosen: Sequence[str]) -> Part:
    coding = np.vstack([np.eye(len(levels) - 1), -np.ones(len(levels) - 1)])
    place = {level: number for number, level in enumerate(levels)}
    cells = np.array([place[level] for level in chosen])
    return Part(factors, tuple((level,) for level in levels), coding, cells)


def _pair(first: Part, second: Part) -> Part:
    return Part(
        first.factors + second.factors,
        tuple(one + other for one, other in product(first.levels, second.levels)),
        np.kron(first.coding, second.coding),
        first.cells * len(second.levels) + second.cells,
    )


def _block(mains: Sequence[Part], observations: Sequence[Observation]) -> Part | None:
    """None where a value has none, all have the same, or they go with the factors: as where no two share a seed."""
    labels = [observation.block for observation in observations if observation.block is not None]
    levels = sorted(set(labels), key=lambda label: (len(label), label))  # 2 before 10
    if len(labels) < len(observations) or len(levels) < 2:
        return None
    block = _coded((), levels, labels)
    return None if _undetermined([block, *mains], len(labels)) else block


def _undetermined(parts: Sequence[Part], n: int) -> list[Part]:
    """Those whose effects could be others and fit the same: they have a part in what the model's matrix maps to 0."""
    matrix, places = matrix_of(parts, n)
    eigenvalues, vectors = np.linalg.eigh(matrix.T @ matrix)
    null = vectors[:, eigenvalues < ALIASED * eigenvalues[-1]]
    return [part for part in parts if (np.abs(null[places[part.factors]]) > 1e-6).any()]


def _refuse_confounded(mains: Sequence[Part], n: int) -> None:
    if confounded := _undetermined(mains, n):
        names = ", ".join(part.factors[0] for part in confounded)
        raise MammoscopeError(
            f"effects: the {n} values do not tell apart what {names} do, which changed together; missing: values of "
            "combinations in which one of them changes alone"
        )


def _estimable(base: Sequence[Part], pairs: Sequence[Part], n: int) -> tuple[list[Part], tuple[Omitted, ...]]:
    """base: determined by itself. Without the pairs that are not determined, all that is left is."""
    aliased = {part.factors for part in _undetermined([*base, *pairs], n)}
    kept = [part for part in pairs if part.factors not in aliased]
    omitted = []
    for part in pairs:
        if part.factors in aliased:
            counts = np.bincount(part.cells, minlength=len(part.levels))
            never = tuple(levels for levels, count in zip(part.levels, counts, strict=True) if count == 0)
            omitted.append(Omitted(factors=part.factors, never_seen=never))
    return kept, tuple(omitted)


def matrix_of(parts: Sequence[Part], n: int) -> tuple[np.ndarray, dict[tuple[str, ...], slice]]:
    """(n, columns) with a first column of ones, and where each part's columns are."""
    ends = np.cumsum([1, *(part.coding.shape[1] for part in parts)]).tolist()
    places = {part.factors: slice(*ends[number : number + 2]) for number, part in enumerate(parts)}
    return np.hstack([np.ones((n, 1)), *(part.columns for part in parts)]), places
