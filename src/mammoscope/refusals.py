"""What Hydra and OmegaConf refuse, in the user's words: key, value, what is allowed."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from mammoscope.config import TrainConfig


def conf_folder() -> Path:
    """`conf/` of the checkout, or the copy that the wheel carries."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def groups() -> list[str]:
    return [field.name for field in fields(TrainConfig) if is_dataclass(field.type)]


def explain(error: Exception) -> str:
    """Hydra's and OmegaConf's errors in the user's words: key, value, what is allowed."""
    return _told("\n".join(str(e) for e in _chain(error)), _REFUSALS) or str(error)


Told = Callable[[re.Match[str]], str | None]


def _told(text: str, table: Iterable[tuple[str, Told]]) -> str | None:
    """What the first row says whose pattern is in the text and that has something to say."""
    for pattern, words in table:
        if (match := re.search(pattern, text)) and (said := words(match)):
            return said
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__ or error.__context__)]


def _no_option(match: re.Match[str]) -> str | None:
    group, _, option = match[1].rpartition("/")
    if not group or not (conf_folder() / group).is_dir():
        return None
    return f"{group}={option}: there is no such option; allowed: {', '.join(options(group))}"


def _wrong_value(match: re.Match[str]) -> str:
    text = match[1]
    return f"{match[2]}: {_told(text, _WRONG_VALUES) or text.strip()}"


def _kind_of(key: str) -> str:
    """What a key takes, in words; a key that there is not takes a value."""
    kind = type_at(key)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(kind)
    return _KINDS.get({int: "Integer", float: "Float", bool: "Boolean"}.get(kind, ""), "a value")


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def dotted(dataclass_name: str, key: str) -> str:
    """TrainerConfig, foo -> trainer.foo"""
    group = next((f.name for f in fields(TrainConfig) if getattr(f.type, "__name__", "") == dataclass_name), "")
    return f"{group}.{key}" if group else key


def unknown_key(key: str) -> str:
    """`key` may be dotted; what stands beside it is what is allowed."""
    parent, _, name = key.rpartition(".")
    allowed = _keys_of(parent)
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f" (did you mean {parent + '.' if parent else ''}{near[0]}?)" if near else ""
    where = f" in {parent}" if parent else ""
    return f"{key}: there is no such key{hint}; allowed{where}: {', '.join(allowed)}"


def _keys_of(parent: str) -> list[str]:
    kind = type_at(parent)
    return [f.name for f in fields(kind if is_dataclass(kind) else TrainConfig)]


def type_at(key: str) -> Any:
    """The type of a dotted key's value, TrainConfig's for the blank key; None where there is no such key."""
    node: Any = TrainConfig
    for part in filter(None, key.split(".")):
        node = next((f.type for f in fields(node) if f.name == part), None) if is_dataclass(node) else None
        node = next((kind for kind in get_args(node) if is_dataclass(kind)), node)  # debug: a dataclass or null
    return node


_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}

_WRONG_VALUES: tuple[tuple[str, Told], ...] = (
    (
        r"Value '(.*?)' of type '\w+' could not be converted to (\w+)",
        lambda m: f"{m[1]!r} is not allowed; allowed: {_KINDS.get(m[2], m[2])}",
    ),
    (r"Value '(.*?)' is not a valid bool", lambda m: f"{m[1]!r} is not allowed; allowed: true or false"),
    (r"Invalid value '(.*?)', expected one of \[(.*?)\]", lambda m: f"{m[1]!r} is not allowed; allowed: {m[2]}"),
)

# The first that fits: Hydra's own keys before ours, what names a cause before what only names the override.
_REFUSALS: tuple[tuple[str, Told], ...] = (
    (  # conf/train.yaml asks the chosen target for its loss, and there is none, or a list
        r"Interpolation key '(\w+)' not found",
        lambda m: (
            f"{m[1]}: exactly one option is needed; allowed: {', '.join(options(m[1]))}" if options(m[1]) else None
        ),
    ),
    (r"(?:Could not find|In '.*?': Could not find|Could not load) '([^'\n]+)'", _no_option),
    (
        r"Key '\w+' (?:is )?not in '\w+'(?:.|\n)*?full_key: (hydra\.[\w.]+)",
        lambda m: f"{m[1]}: Hydra has no such key; allowed: what `python train.py --cfg hydra` lists",
    ),
    (r"field '([\w.]+)' is not Optional", lambda m: f"{m[1]}: null is not allowed; allowed: {_kind_of(m[1])}"),
    (
        r"does not support deletion\n\s*full_key: ([\w.]+)",
        lambda m: f"{m[1]}: cannot be taken away; allowed: {m[1]}=<{_kind_of(m[1])}>",
    ),
    (r"Key '\w+' (?:is )?not in '\w+'(?:.|\n)*?full_key: ([\w.]+)", lambda m: unknown_key(m[1])),
    (r"Could not override '([\w./@-]+)'", lambda m: unknown_key(m[1])),
    (
        r"(Value '.*?'.*?|Invalid value '.*?'.*?|.*is not a subclass.*|.*Interpolation.*)\n\s*full_key: ([\w.]+)",
        _wrong_value,
    ),
    (r"Missing mandatory value: ([\w.]+)", lambda m: f"{m[1]} is not set: give {m[1]}=<value>"),
)
