"""Near-duplicates that a person has looked at and found to be two films."""

from pathlib import Path

from mammoscope.errors import MammoscopeError

_PAIR = 2


def read_reviewed(path: Path) -> frozenset[frozenset[str]]:
    """Pairs of Mammogram.key. A line a pair, parted by blanks or a comma; what follows a # is a remark.

    Raises MammoscopeError with file and line for what is no pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MammoscopeError(f"split.allow={path}: cannot be read as text: {error}") from error
    pairs: set[frozenset[str]] = set()
    for number, line in enumerate(lines, start=1):
        keys = frozenset(line.partition("#")[0].replace(",", " ").split())
        if keys and len(keys) != _PAIR:
            raise MammoscopeError(f"{path} line {number}: {line.strip()!r}; allowed: the keys of two mammograms")
        if keys:
            pairs.add(keys)
    return frozenset(pairs)
