"""What MLflow cannot hold, said before it is told: its own words come late, and some things it cuts without any."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from mlflow.utils.validation import (
    MAX_ENTITY_KEY_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
    path_not_unique,
    validate_param_and_metric_name,
)

from mammoscope.errors import MammoscopeError

Item = TypeVar("Item")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises MammoscopeError for a key that MLflow cannot hold, and for a value that it would cut."""
    for key, value in tags.items():
        check_key("tag", key)
        check_length(f"tag {key}", value, MAX_TAG_VAL_LENGTH)


def check_key(what: str, key: str) -> None:
    """what: param, tag or metric. Raises MammoscopeError."""
    check_length(f"{what} {key}", key, MAX_ENTITY_KEY_LENGTH)
    if not validate_param_and_metric_name(key) or path_not_unique(key):
        raise MammoscopeError(
            f"{what} {key!r}: allowed: letters, digits, blanks and _ - . : / that read as a path below a folder"
        )


def check_artifact(path: str) -> None:
    if path_not_unique(path):
        raise MammoscopeError(f"artifact {path!r}: allowed: a path below the run's artifacts, with forward slashes")


def check_length(what: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise MammoscopeError(f"{what}: {len(value)} characters; allowed: at most {longest}")


def slices(items: Sequence[Item], size: int = MAX_PARAMS_TAGS_PER_BATCH) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
