"""What a search draws from: ranges by config key, as Optuna takes them and as a person reads them."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mammoscope.errors import MammoscopeError

Value = str | int | float  # a choice's option is the text of an override's value


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]  # as they stand in an override, quotes and all

    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(self.options)

    def points(self) -> tuple[Value, ...]:
        return self.options

    def in_words(self) -> str:
        return f"one of {', '.join(self.options)}"


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers; `high` is one of them."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def distribution(self) -> BaseDistribution:
        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    def points(self) -> tuple[Value, ...]:
        return tuple(range(self.low, self.high + 1, self.step))

    def in_words(self) -> str:
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        return f"{self.low} to {self.high}{steps}{', evenly in its logarithm' if self.log else ''}"


@dataclass(frozen=True, slots=True)
class Real:
    low: float
    high: float
    step: float | None = None
    log: bool = False

    def distribution(self) -> BaseDistribution:
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def points(self) -> tuple[Value, ...] | None:
        if self.step is None:
            return None
        return tuple(self.low + n * self.step for n in range(round((self.high - self.low) / self.step) + 1))

    def in_words(self) -> str:
        steps = f" in steps of {self.step:g}" if self.step is not None else ""
        return f"{self.low:g} to {self.high:g}{steps}{', evenly in its logarithm' if self.log else ''}"


Range = Choice | Whole | Real
Space = Mapping[str, Range]
Suggest = Callable[[str, Range], Value]


def size(space: Space) -> int | None:
    """How many points there are; None where they are not finite."""
    each = [range_.points() for range_ in space.values()]
    return None if any(points is None for points in each) else math.prod(len(points or ()) for points in each)


def point(space: Space, place: int) -> dict[str, Value]:
    """The point at `place` of a finite space, as itertools.product would count them."""
    values: dict[str, Value] = {}
    for key, range_ in reversed(list(space.items())):
        points = range_.points()
        assert points is not None, "asked of finite spaces only"
        place, index = divmod(place, len(points))
        values[key] = points[index]
    return {key: values[key] for key in space}


def shuffled(space: Space, seed: int) -> Iterator[dict[str, Value]]:
    """All points of a finite space once, in an order that `seed` alone decides."""
    number = size(space)
    assert number is not None, "asked of finite spaces only"
    if number <= 1 << 20:
        order: Iterator[int] = iter(np.random.default_rng(seed).permutation(number).tolist())
    else:  # nobody trains so many: each is drawn, and may come again
        rng = np.random.default_rng(seed)
        order = (int(rng.integers(number)) for _ in itertools.count())
    return (point(space, place) for place in order)


def as_text(value: Value) -> str:
    """As an override gives it; a float as the shortest text that is read as the same number."""
    return value if isinstance(value, str) else repr(value)


@final
@dataclass(slots=True)
class Draw:
    """One trial as it is drawn: what a function that `search.configure` names may read, add to and settle.

    It is called once the space of the config is drawn: `draw["optimizer"]` is what was drawn or fixed there,
    `draw["trainer.epochs"]` what the config has where nothing was,
    `draw("optimizer.momentum", "interval(0.8, 0.99)")` draws one more in Hydra's language and returns it,
    `draw.fix("image.height_px", 96)` settles a setting, and `draw.take("resolution")` returns a value and leaves its
    key out of the trial's overrides, so that a name that is no config key can stand for several.
    """

    suggest: Suggest
    parse: Callable[[str, str], Range]
    overrides: dict[str, str]  # so far
    base: Mapping[str, object]  # the settings of a run that draws nothing, by key
    drawn: set[str] = field(default_factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self.overrides

    def __getitem__(self, key: str) -> object:
        """The value as YAML reads it: 16, 0.1, true, resnet50. Raises MammoscopeError where there is no such key."""
        if key not in self.overrides:
            if key not in self.base:
                raise MammoscopeError(
                    f"search.configure asks for {key}, which is neither drawn nor a key of the config; drawn or fixed: "
                    f"{', '.join(self.overrides)}"
                )
            return self.base[key]
        return yaml.safe_load(self.overrides[key])

    def __call__(self, key: str, text: str) -> object:
        if key in self.drawn:
            raise MammoscopeError(f"search.configure draws {key}={text}, which is drawn already; allowed: once a trial")
        return self.range(key, self.parse(key, text))

    def range(self, key: str, range_: Range) -> object:
        self.drawn.add(key)
        self.overrides[key] = as_text(self.suggest(key, range_))
        return self[key]

    def fix(self, key: str, value: object) -> None:
        """value: as YAML reads it."""
        self.overrides[key] = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    def take(self, key: str) -> object:
        value = self[key]
        del self.overrides[key]
        return value
