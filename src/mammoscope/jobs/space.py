"""Hydra's sweep language -> what a search draws from, with a refusal for what cannot be drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import LOCAL_PLACES
from mammoscope.refusals import type_at
from mammoscope.search.space import Choice, Range, Real, Whole

LANGUAGE = "choice(a,b), range(1,10), interval(0,1), tag(log,interval(1e-5,1e-2))"
_OWN = ("search", "hydra", "tracking", "store", "prepare", "resume", "debug", "seed", "experiment")


@dataclass(frozen=True, slots=True)
class Asked:
    """What config and command line say together."""

    space: dict[str, Range]
    fixed: dict[str, str]  # overrides by key; a deletion's key begins with ~
    search: dict[str, str]  # those that are about the search itself


Parse = Callable[[str, str], Range]


def asked_for(arguments: Sequence[str], space: Mapping[str, str], parser: OverridesParser) -> Asked:
    """The command line wins. Raises MammoscopeError for what Hydra's grammar allows and a search cannot draw."""
    found: dict[str, Range] = {}
    fixed: dict[str, str] = {}
    about: dict[str, str] = {}
    listed = [_quoted(key, text) for key, text in space.items()]
    given = parser.parse_overrides(list(arguments))
    named = {override.key_or_group for override in given}
    for override in [*(o for o in parser.parse_overrides(listed) if o.key_or_group not in named), *given]:
        key = override.key_or_group
        if override.is_sweep_override():
            found[key] = range_of(override)
        elif key == "search" or key.startswith("search."):
            about[override.get_key_element()] = override.get_value_element_as_str()
        elif override.is_delete():
            fixed[f"~{key}"] = ""
        else:
            fixed[override.get_key_element()] = override.get_value_element_as_str()
    return Asked(dict(sorted(found.items())), fixed, about)  # the order in which they were written says nothing


def as_arguments(overrides: Mapping[str, str]) -> list[str]:
    return [key if key.startswith("~") else f"{key}={value}" for key, value in overrides.items()]


def parse_with(parser: OverridesParser) -> Parse:
    """What a `search.configure` function draws with: (key, text in Hydra's language) -> range."""

    def parse(key: str, text: str) -> Range:
        override = parser.parse_overrides([_quoted(key, text)])[0]
        if not override.is_sweep_override():
            raise MammoscopeError(f"search.configure draws {key}={text}, which is one value; allowed: {LANGUAGE}")
        return range_of(override)

    return parse


def build_parser(config_loader: Any) -> OverridesParser:
    """config_loader: Hydra's, which knows what glob(*) stands for."""
    return OverridesParser.create(config_loader=config_loader)


def _quoted(key: str, text: str) -> str:
    return f"{key}={text}"


def range_of(override: Override) -> Range:
    key, sweep = override.key_or_group, override.value()
    if key.partition(".")[0] in _OWN or key in LOCAL_PLACES:  # what is drawn is logged
        raise MammoscopeError(
            f"{override.input_line}: {key} is not a trial's to vary"
            + ("; for several seeds a trial: search.seeds=3" if key == "seed" else "; allowed: one value")
        )
    if override.is_add() or override.is_force_add():
        raise MammoscopeError(f"{override.input_line}: there is no such key to draw; allowed: keys of the config")
    tags = sorted(getattr(sweep, "tags", ()))
    if set(tags) - {"log"}:
        raise MammoscopeError(f"{override.input_line}: tag {', '.join(tags)} says nothing here; allowed: log")
    try:
        if isinstance(sweep, ChoiceSweep):
            return _choice(override, sweep, tags)
        if isinstance(sweep, RangeSweep):
            return _range(override, key, sweep, tags)
        if isinstance(sweep, IntervalSweep):
            return _interval(override, key, sweep, tags)
    except HydraException as error:
        raise MammoscopeError(f"{override.input_line}: {error}; allowed: {LANGUAGE}") from error
    options = tuple(dict.fromkeys(override.sweep_string_iterator()))  # glob(*)
    return Choice(options)


def _choice(override: Override, sweep: ChoiceSweep, tags: list[str]) -> Range:
    if tags:
        raise MammoscopeError(f"{override.input_line}: a choice has no logarithm; allowed: without tag(log, ...)")
    if any(_is_sweep(value) for value in sweep.list):
        raise MammoscopeError(
            f"{override.input_line}: a range within a choice cannot be drawn; allowed: one of {LANGUAGE}, or a "
            "search.configure function, which may draw what follows from a choice"
        )
    options = [str(option) for option in override.sweep_string_iterator()]
    twice = sorted({option for option in options if options.count(option) > 1})
    if twice:
        raise MammoscopeError(
            f"{override.input_line}: {', '.join(twice)} stands there twice; allowed: each option once"
        )
    return Choice(tuple(sorted(options) if sweep.shuffle else options))  # else every command has its own


def _is_sweep(value: object) -> bool:
    return isinstance(value, ChoiceSweep | RangeSweep | IntervalSweep)


def _range(override: Override, key: str, sweep: RangeSweep, tags: list[str]) -> Range:
    values = list(sweep.range())
    if not values:
        raise MammoscopeError(f"{override.input_line}: holds no number; allowed: range(1,10), which ends at 9")
    if tags:
        raise MammoscopeError(
            f"{override.input_line}: even steps have no logarithm; allowed: tag(log,interval(...)) or choice(...)"
        )
    ascending = sorted(values)
    step = abs(sweep.step)
    if all(isinstance(value, int) for value in ascending):
        return Whole(int(ascending[0]), int(ascending[-1]), int(step))
    return Real(float(ascending[0]), float(ascending[-1]), float(step))


def _interval(override: Override, key: str, sweep: IntervalSweep, tags: list[str]) -> Range:
    low, high = sweep.start, sweep.end
    assert low is not None, "the grammar wants both ends"
    assert high is not None, "the grammar wants both ends"
    is_log = "log" in tags
    if not low < high:
        raise MammoscopeError(f"{override.input_line}: is empty; allowed: an end above its start")
    if is_log and low <= 0:
        raise MammoscopeError(f"{override.input_line}: 0 and below have no logarithm; allowed: a start above 0")
    if isinstance(low, int) or _is_whole(key):  # int(interval(...)); without the cast Hydra makes floats of both
        if low != int(low) or high != int(high):
            raise MammoscopeError(f"{override.input_line}: {key} takes whole numbers; allowed: whole ends")
        return Whole(int(low), int(high), log=is_log)
    if _is_chosen(key):
        raise MammoscopeError(f"{override.input_line}: {key} is one of several options; allowed: choice(...)")
    return Real(float(low), float(high), log=is_log)


def _is_whole(key: str) -> bool:
    kind = type_at(key)
    return kind is int or int in get_args(kind)


def _is_chosen(key: str) -> bool:
    """A config group, or a key that takes neither whole numbers nor others."""
    kind = type_at(key)
    return kind is not None and not (kind is float or float in get_args(kind))
