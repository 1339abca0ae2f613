"""The code of a run, once more: as it is here, or of its commit with what was changed in it."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.origin import CODE, checkout_root, code_diff, code_tags
from mammoscope.tracking.store import DIFF_FILE, TrackingStore


@dataclass(frozen=True, slots=True)
class Code:
    commit: str  # or, in words, that there is none
    diff: bytes  # of src/ and conf/ against it


def code_here() -> Code:
    return Code(code_tags()["git_commit"], code_diff())


def code_of(store: TrackingStore, run: RunInfo) -> Code:
    try:
        diff = store.inherited(run, DIFF_FILE).read_bytes()
    except MammoscopeError:  # nothing was changed
        diff = b""
    return Code(run.tags.get("git_commit", "none: the run does not say"), diff)


@contextmanager
def checked_out(code: Code) -> Iterator[Path | None]:
    """A temporary git worktree with the code; None where what this process runs is the same in src/ and conf/.

    Raises MammoscopeError where the code cannot be had.
    """
    here, root = code_here(), checkout_root()
    if here == code or (root is not None and here.diff == code.diff and _trees(root, here) == _trees(root, code)):
        yield None
        return
    if root is None:
        raise MammoscopeError(
            f"the run's code is {code.commit}, this is {here.commit}; allowed: to reproduce it from a git checkout"
        )
    if _trees(root, code) is None:
        raise MammoscopeError(f"the run's code is {code.commit}, which this checkout lacks; `git fetch` may bring it")
    with tempfile.TemporaryDirectory(prefix="mammoscope-") as folder:
        tree = Path(folder) / "code"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), code.commit)
        try:
            if code.diff:
                _git(tree, "apply", "--whitespace=nowarn", "-", given=code.diff)
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _trees(root: Path, code: Code) -> list[str] | None:
    """Git's digests of src/ and conf/ at the commit; None where it is not here."""
    try:
        return _git(root, "rev-parse", *(f"{code.commit}:{part}" for part in CODE)).split()
    except MammoscopeError:
        return None


def _git(folder: Path, *arguments: str, given: bytes | None = None) -> str:
    # a hook (git commit, git rebase --exec) tells git of its own repository in the environment
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False, env=environment)
    except OSError as error:
        raise MammoscopeError(f"git: {error.strerror}; allowed: where git is installed") from error
    if done.returncode:
        raise MammoscopeError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace").strip()
