"""PHANTOM.json and phantom_latents.csv: what says that a tree is drawn, and what the ideal observer saw in it."""

import csv
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import PHANTOM_FORMAT, PHANTOM_MARKER

LATENTS = "phantom_latents.csv"
# Raise it when the same PhantomConfig gives other files: a tree that lies somewhere then says that it is another one.
VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    version: int
    patients: int
    seed: int
    d_prime: float
    height_px: int
    width_px: int
    test_fraction: float
    ideal_auc: float  # at abnormality level, image=roi, target=malignancy

    @property
    def config(self) -> PhantomConfig:
        return PhantomConfig(**{field.name: getattr(self, field.name) for field in fields(PhantomConfig)})


@dataclass(frozen=True, slots=True)
class LatentRow:
    abnormality: str  # Abnormality.key: Mass-Training_P_00001_LEFT_CC_1
    latents: tuple[float, ...]
    log_likelihood_ratio: float


def write_marker(root: Path, marker: Marker) -> None:
    """Last of all files: a tree without it is not a phantom. `root` is not visible to others yet."""
    text = json.dumps(
        {"format": PHANTOM_FORMAT, "phantom": "drawn, not taken from patients", **asdict(marker)}, indent=2
    )
    (root / PHANTOM_MARKER).write_text(text + "\n", encoding="ascii")


def phantom_folder(root: Path) -> Path | None:
    """Where the marker lies: in the root or, as the case descriptions may, one folder below. None: nowhere."""
    below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return next((folder for folder in (root, *below) if (folder / PHANTOM_MARKER).is_file()), None)


def read_marker(root: Path) -> Marker | None:
    """None where there is no marker. Raises MammoscopeError where there is one that this version cannot read."""
    path = (phantom_folder(root) or root) / PHANTOM_MARKER
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise MammoscopeError(f"{path}: not a readable phantom marker ({error})") from error
    return _checked(path, stored)


def _checked(path: Path, stored: object) -> Marker:
    if not isinstance(stored, dict) or stored.get("format") != PHANTOM_FORMAT or stored.get("version") != VERSION:
        found = f"{stored.get('format')!r} {stored.get('version')!r}" if isinstance(stored, dict) else repr(stored)
        wanted = f"{PHANTOM_FORMAT!r} {VERSION}"
        raise MammoscopeError(f"{path}: format {found}; this version reads {wanted}, draw the phantom anew")
    values: dict[str, Any] = {}
    for field in fields(Marker):
        value = stored.get(field.name)
        whole = field.type is int
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            wanted = "a whole number" if whole else "a number"
            raise MammoscopeError(f"{path}: {field.name}={value!r}; {wanted} is needed, draw the phantom anew")
        values[field.name] = value if whole else float(value)
    return Marker(**values)


def write_latents(root: Path, rows: list[LatentRow]) -> None:
    count = len(rows[0].latents)
    header = ["abnormality", *(f"latent_{k + 1}" for k in range(count)), "log_likelihood_ratio"]
    with (root / LATENTS).open("w", encoding="ascii", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([row.abnormality, *map(repr, row.latents), repr(row.log_likelihood_ratio)] for row in rows)


def read_ideal_scores(root: Path) -> dict[str, float]:
    """Abnormality.key -> log-likelihood ratio of malignant to benign, the score that nobody can beat.

    Raises MammoscopeError where the file is absent or damaged.
    """
    path = (phantom_folder(root) or root) / LATENTS
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            scores = {row["abnormality"]: float(row["log_likelihood_ratio"]) for row in csv.DictReader(handle)}
    except FileNotFoundError:
        raise MammoscopeError(f"{path}: not found; a phantom has it at its root") from None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise MammoscopeError(f"{path}: not a readable table of latents ({error!r})") from error
    if not scores or not all(map(math.isfinite, scores.values())):
        raise MammoscopeError(f"{path}: {len(scores)} scores, and they must be finite and not none at all")
    return scores
