"""Where a run's numbers come from: the code, the libraries, and (as a digest) the host."""

import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mammoscope
from mammoscope.processes import host_digests

# A line that a change of conf/ adds, which says where something lies; of weights, imagenet is no place.
_PLACE = re.compile(
    rb"""
    ^ (\+ \s* (?:csv|root|allow|uri|home|storage|folder|weights) \s* : \s*)
    (?! null\b | \$\{ | (?:auto|imagenet|none) \s* $ ) \S .* $
    """,
    re.MULTILINE | re.VERBOSE,
)
CODE = ("src", "conf")  # of a checkout: what a run's numbers depend on
# Whatever can move a number, or the file formats that a run leaves.
LIBRARIES = (
    "albumentations",
    "hydra-core",
    "lightning-fabric",
    "mlflow",
    "numpy",
    "opencv-python-headless",
    "pyarrow",
    "pydicom",
    "safetensors",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torchvision",
)


def library_versions() -> dict[str, str]:
    """Installed versions, read from metadata: nothing is imported."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


@cache
def code_tags() -> dict[str, str]:
    """`git_commit` and `git_dirty` of the checkout that this package is imported from.

    An installed copy is not the checkout that its virtual environment may lie in: it says its version instead. Cached:
    what runs was imported once, and an edit during a multirun does not change it.
    """
    here = Path(mammoscope.__file__)
    if checkout_root() is None:
        return {
            "git_commit": f"none: mammoscope {_version('mammoscope')}, not run from a checkout",
            "git_dirty": "unknown",
        }
    commit = _git(here.parent, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return {"git_commit": "none: nothing is committed yet", "git_dirty": "true"}
    dirty = _git(here.parent, "status", "--porcelain", "--", ":/")
    # mlflow.source.git.commit is what the UI shows beside the run's source.
    return {
        "git_commit": commit,
        "git_dirty": "false" if dirty == "" else "true",
        "mlflow.source.git.commit": commit,
    }


@cache
def code_diff() -> bytes:
    """What of src/ and conf/ differs from the commit, for `git apply`; empty where nothing does, or outside a checkout.

    In place of the paths that were written into conf/ it has <path>: a run is had again by its own config. Files that
    git does not know are not in it: see untracked_code. Cached as code_tags is.
    """
    root = checkout_root()
    if root is None or "mlflow.source.git.commit" not in code_tags():
        return b""
    plain = (
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--binary",
        "--full-index",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    )
    src, conf = (_git_bytes(root, "diff", *plain, "HEAD", "--", part) or b"" for part in CODE)
    return _PLACE.sub(rb"\1<path>", conf) + src  # in git's order


@cache
def untracked_code() -> tuple[str, ...]:
    """Files of src/ and conf/ that git neither knows nor ignores."""
    root = checkout_root()
    listed = None if root is None else _git(root, "ls-files", "--others", "--exclude-standard", "--", *CODE)
    return tuple((listed or "").split("\n")) if listed else ()


def checkout_root() -> Path | None:
    """Of the checkout that this package is imported from; None for an installed copy."""
    here = Path(mammoscope.__file__)
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    root = _git(here.parent, "rev-parse", "--show-toplevel")
    return None if root is None else Path(root)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, stripped; None where it fails, is missing, or does not answer."""
    printed = _git_bytes(folder, *arguments)
    return None if printed is None else printed.decode(errors="replace").strip()


def _git_bytes(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def is_this_host(host: str) -> bool:
    """host: the tag of a run."""
    return bool(host_digests().intersection(host.split("+")))
