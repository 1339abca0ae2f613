"""Names that may leave this machine in place of patients' names and paths: HMAC-SHA-256 under a key that stays."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole

KEY_FILE: Final = "pseudonyms.key"
_KEY_BYTES, _KEY_NAME, _PATIENT, _IMAGE = 32, 6, 12, 8  # the last three in hexadecimal digits of a name
_PSEUDONYM: Final = re.compile(rf"T([0-9a-f]{{{_KEY_NAME}}})_[0-9a-f]{{{_PATIENT}}}")


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The same value under the same key has the same name; without the key, nobody finds the value by trying."""

    key: bytes

    def patient(self, name: str) -> str:
        """T, six digits that name the key, _, and twelve that name the patient: T1a2b3c_0123456789ab."""
        return f"T{self._digits('key', '')[:_KEY_NAME]}_{self._digits('patient', name)[:_PATIENT]}"

    def image(self, kind: str, path: str) -> str:
        """Eight digits: enough to tell the images of one patient apart."""
        return self._digits(f"image/{kind}", path)[:_IMAGE]

    def _digits(self, what: str, value: str) -> str:
        return hmac.new(self.key, f"{what}/{value}".encode(), hashlib.sha256).hexdigest()


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
                _draw_key(path)
            digits = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MammoscopeError(f"{path}: the key of the pseudonyms cannot be read or made: {error}") from error
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}", digits):
        raise MammoscopeError(f"{path}: is no key of pseudonyms; allowed: {2 * _KEY_BYTES} hexadecimal digits")
    return Pseudonyms(bytes.fromhex(digits))


def _draw_key(path: Path) -> None:
    with written_whole(path) as unfinished:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")


def key_names(patients: Iterable[str]) -> frozenset[str]:
    """Which keys named those of the patients that go by a pseudonym."""
    return frozenset(match[1] for match in map(_PSEUDONYM.fullmatch, patients) if match)
