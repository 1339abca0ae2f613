"""What is kept of a run for a person who wants it again: the head of its recipe, and its row in the leaderboard."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """Strings are shown as they are and hold no path of a machine."""

    run: str  # its id
    what: str  # one line
    command: str
    source: str  # with what its ideal observer reaches, where that is known
    level: str
    patients: int
    aucs: Mapping[str, str]  # by partition: 0.778 (0.708-0.839)
    hardware: str
    minutes: float  # of training
    commit: str  # with "+ uncommitted changes" where there were some
    version: str
    date: str  # ISO


def recipe_header(kept: KeptRun) -> str:
    """Comment lines, after the one that Hydra reads."""
    numbers = "; ".join(f"{partition} {kept.level} AUC {auc}" for partition, auc in kept.aucs.items())
    return "\n".join(
        f"# {line}".rstrip()
        for line in (
            "@package _global_",
            kept.what,
            f"  {kept.command}",
            f"{kept.source}: {numbers}, {kept.patients} patients in validation",
            f"{kept.hardware}; {kept.minutes:.0f} min; commit {kept.commit}; {kept.date}; run {kept.run[:8]}",
        )
    )


def leaderboard_row(kept: KeptRun, name: str) -> str:
    """One line, in the columns of experiments/README.md."""
    first, *others = kept.aucs.items()
    auc = "; ".join([first[1], *(f"{partition} {value}" for partition, value in others)])
    cells = (
        f"{name}: {kept.what}",
        f"{kept.source}, {first[0]} ({kept.patients} patients), {kept.level}",
        auc,
        f"`{kept.command}`",
        f"{kept.version} ({kept.commit}), {kept.date}",
    )
    return f"| {' | '.join(cells)} |"


def with_row(leaderboard: str, row: str) -> str:
    """The page with the row under its table's last. Raises ValueError where it has no table."""
    lines = leaderboard.splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("|"))
    return "\n".join([*lines[: last + 1], row, *lines[last + 1 :]]) + "\n"
