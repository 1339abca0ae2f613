"""A key that stays with its owner, and the names that are made with it: HMAC-SHA-256, which nobody undoes by trying."""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole

KEY_BYTES: Final = 32
_KEY_NAME, _PATIENT = 6, 12  # hexadecimal digits of a name
PSEUDONYM: Final = re.compile(rf"T([0-9a-f]{{{_KEY_NAME}}})_[0-9a-f]{{{_PATIENT}}}")  # of a patient; [1]: of the key


def keyed_bytes(key: bytes, what: str, value: str) -> bytes:
    """32 bytes; what: keeps names of one sort of thing apart from those of another."""
    return hmac.new(key, f"{what}/{value}".encode(), hashlib.sha256).digest()


def key_name(key: bytes) -> str:
    return keyed_bytes(key, "key", "").hex()[:_KEY_NAME]


def patient_pseudonym(key: bytes, patient: str) -> str:
    """T, six digits that name the key, _, and twelve that name the patient: T1a2b3c_0123456789ab."""
    return f"T{key_name(key)}_{keyed_bytes(key, 'patient', patient).hex()[:_PATIENT]}"


def read_key(path: Path) -> bytes:
    """Raises: OSError; MammoscopeError where it is no such key."""
    try:
        digits = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        digits = ""
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", digits):
        raise MammoscopeError(f"{path}: is no key of pseudonyms; allowed: {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(digits)


def draw_key(path: Path) -> None:
    """A new one, readable by its owner alone."""
    with written_whole(path) as unfinished:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
