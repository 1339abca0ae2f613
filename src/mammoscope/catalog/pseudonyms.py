"""Names that may leave this machine in place of patients' names and paths: HMAC-SHA-256 under a key that stays."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from mammoscope.errors import MammoscopeError
from mammoscope.keys import PSEUDONYM, draw_key, keyed_bytes, patient_pseudonym, read_key

KEY_FILE: Final = "pseudonyms.key"
_IMAGE: Final = 8  # hexadecimal digits of a name


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The same value under the same key has the same name; without the key, nobody finds the value by trying."""

    key: bytes

    def patient(self, name: str) -> str:
        """T, six digits that name the key, _, and twelve that name the patient: T1a2b3c_0123456789ab."""
        return patient_pseudonym(self.key, name)

    def image(self, kind: str, path: str) -> str:
        """Eight digits: enough to tell the images of one patient apart."""
        return keyed_bytes(self.key, f"image/{kind}", path).hex()[:_IMAGE]


def load_pseudonyms(home: Path) -> Pseudonyms:
    """By the key in `home`, which is drawn there once, readable by its owner alone.

    Raises:
        MammoscopeError: where it is no such key, or cannot be read or made.
    """
    path = home / KEY_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{KEY_FILE}.lock")):  # else two processes that begin at once have a key each
            if not path.exists():
                draw_key(path)
            return Pseudonyms(read_key(path))
    except OSError as error:
        raise MammoscopeError(f"{path}: the key of the pseudonyms cannot be read or made: {error}") from error


def key_names(patients: Iterable[str]) -> frozenset[str]:
    """Which keys named those of the patients that go by a pseudonym."""
    return frozenset(match[1] for match in map(PSEUDONYM.fullmatch, patients) if match)
