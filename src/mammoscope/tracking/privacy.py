"""What may not leave this disk with a run: local paths, and pickles."""

import re
import zipfile
from pathlib import Path

from mammoscope.errors import MammoscopeError

# A quoted path may hold anything but its quotes, as in "/films/O'Brien". A bare one reaches to the last component of
# its clause, for a folder's name may hold blanks, commas, brackets and apostrophes, as may a file's with an ending.
# That swallows words between two paths: too much is redacted rather than too little.
LOCAL_PATH = re.compile(
    r"""
      (?P<quote>['"`]) (?: (?:file|sqlite): )? (?:/|~/|[A-Za-z]:[\\/]) (?: (?! (?P=quote) ) [^\n] )* (?P=quote)
    | \b (?:file|sqlite): /+ [^\s'"`,;()]*
    | (?<! [\w:/.*] ) (?: ~/ | / | [A-Za-z]:[\\/] ) (?: [^\n"`:;<>]* [/\\] )?
      (?: [^\n"`:;<>/\\]* \. [A-Za-z] \w{0,4} \b | [^\s'"`:;,()<>/\\]+ )
    """,
    re.VERBOSE,
)
PICKLE_PROTOCOLS = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def without_paths(text: str) -> str:
    """`text` with every absolute path of a file system replaced by <path>. URLs with a host and ratios stay."""
    return LOCAL_PATH.sub("<path>", text)


def refuse_pickle(path: Path) -> None:
    """Raises MammoscopeError where `path` is a pickle, or an archive (torch.save, np.savez) that holds one."""
    with path.open("rb") as file:
        is_pickle = file.read(2) in PICKLE_PROTOCOLS
    if not is_pickle and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            is_pickle = any(name.endswith((".pkl", ".pickle")) for name in archive.namelist())
    if is_pickle:
        raise MammoscopeError(
            f"{path.name} is a pickle, which runs code when it is read; allowed: safetensors, JSON, Parquet, text, PNG"
        )
