"""What Hydra and OmegaConf refuse, in the user's words: key, value, what is allowed."""

import difflib
import re
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mammoscope.config import TrainConfig


def conf_folder() -> Path:
    """`conf/` of the checkout, or the copy that the wheel carries."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "conf"


def groups() -> list[str]:
    return [field.name for field in fields(TrainConfig) if is_dataclass(field.type)]


def explain(error: Exception) -> str:
    """Hydra's and OmegaConf's errors in the user's words: key, value, what is allowed."""
    text = "\n".join(str(e) for e in _chain(error))
    if match := re.search(r"(?:Could not find|In '.*?': Could not find|Could not load) '([^'\n]+)'", text):
        group, _, option = match[1].rpartition("/")
        if group and (conf_folder() / group).is_dir():
            return f"{group}={option}: there is no such option; allowed: {', '.join(options(group))}"
    if match := re.search(r"Key '\w+' (?:is )?not in '\w+'(?:.|\n)*?full_key: (hydra\.[\w.]+)", text):
        return f"{match[1]}: Hydra has no such key; allowed: what `python train.py --cfg hydra` lists"
    if match := re.search(r"field '([\w.]+)' is not Optional", text):
        return f"{match[1]}: null is not allowed; allowed: {_kind_of(match[1])}"
    if match := re.search(r"does not support deletion\n\s*full_key: ([\w.]+)", text):
        return f"{match[1]}: cannot be taken away; allowed: {match[1]}=<{_kind_of(match[1])}>"
    if match := re.search(r"Key '\w+' (?:is )?not in '(\w+)'(?:.|\n)*?full_key: ([\w.]+)", text):
        return unknown_key(match[2])
    if match := re.search(r"Could not override '([\w./@-]+)'", text):
        return unknown_key(match[1])
    if match := re.search(
        r"(Value '.*?'.*?|Invalid value '.*?'.*?|.*is not a subclass.*|.*Interpolation.*)\n\s*full_key: ([\w.]+)", text
    ):
        return f"{match[2]}: {_wrong_value(match[1])}"
    if match := re.search(r"Missing mandatory value: ([\w.]+)", text):
        return f"{match[1]} is not set: give {match[1]}=<value>"
    return str(error)


def _chain(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_chain(error.__cause__ or error.__context__)]


def _wrong_value(text: str) -> str:
    if match := re.search(r"Value '(.*?)' of type '\w+' could not be converted to (\w+)", text):
        return f"{match[1]!r} is not allowed; allowed: {_KINDS.get(match[2], match[2])}"
    if match := re.search(r"Value '(.*?)' is not a valid bool", text):
        return f"{match[1]!r} is not allowed; allowed: true or false"
    if match := re.search(r"Invalid value '(.*?)', expected one of \[(.*?)\]", text):
        return f"{match[1]!r} is not allowed; allowed: {match[2]}"
    return text.strip()


def _kind_of(key: str) -> str:
    """What a key takes, in words; a key that there is not takes a value."""
    node: Any = TrainConfig
    for part in key.split("."):
        node = next((f.type for f in fields(node) if f.name == part), None) if is_dataclass(node) else None
    if isinstance(node, type) and issubclass(node, StrEnum):
        return ", ".join(node)
    return _KINDS.get({int: "Integer", float: "Float", bool: "Boolean"}.get(node, ""), "a value")


_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


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
    node: object = TrainConfig
    for part in filter(None, parent.split(".")):
        node = next((f.type for f in fields(node) if f.name == part), TrainConfig)  # type: ignore[arg-type]
    return [f.name for f in fields(node)]  # type: ignore[arg-type]
