"""Where a run's numbers come from: the code, the libraries, and (as a digest) the host."""

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mammoscope

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

    Files that git does not know are not in it: see untracked_code. Cached as code_tags is.
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
    return _git_bytes(root, "diff", *plain, "HEAD", "--", *CODE) or b""


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


def host_digests() -> frozenset[str]:
    """Names of this host that tell nobody its name: of its node name, and of this boot of its kernel.

    A container gets a new node name at every start; its kernel's boot is what it shares with the containers before it.
    """
    names = [platform.node()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        names.append(boot.read_text().strip())
    return frozenset(hashlib.sha256(f"mammoscope host {name}".encode()).hexdigest()[:16] for name in names)


def is_this_host(host: str) -> bool:
    """host: the tag of a run."""
    return bool(host_digests().intersection(host.split("+")))
