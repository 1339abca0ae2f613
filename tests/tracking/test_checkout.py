"""The code of a run, as it is here or as it was, with what was never committed."""

import subprocess
from pathlib import Path

import pytest

import mammoscope
from mammoscope.errors import MammoscopeError
from mammoscope.tracking.checkout import Code, checked_out, code_here, code_of
from mammoscope.tracking.origin import code_diff, code_tags, untracked_code
from mammoscope.tracking.store import DIFF_FILE, UNTRACKED, TrackingStore


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "diff.noprefix=true")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def forget() -> None:
    for cached in (code_tags, code_diff, untracked_code):
        cached.cache_clear()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    """A commit of src/, conf/ and a page, that the package seems to be imported from."""
    root = tmp_path / "a checkout"
    for name in ("src/__init__.py", "conf/train.yaml", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
    git(tmp_path, "init", "-q", str(root))
    git(root, "config", "diff.noprefix", "true")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    monkeypatch.setattr(mammoscope, "__file__", str(root / "src/__init__.py"))
    forget()
    yield root
    forget()


def commit(checkout: Path, name: str, text: str) -> None:
    (checkout / name).write_text(text)
    git(checkout, "commit", "-qam", f"{name}: {text}")
    forget()


def test_a_path_that_was_written_into_conf_is_not_told(checkout):
    commit(checkout, "conf/train.yaml", "source:\n  csv: null\n")
    own = "source:\n  csv: '/films/Doe, Jane/images.csv'\n  root: ${here}\nmodel:\n  weights: imagenet\n  scales: [1]\n"
    (checkout / "conf/train.yaml").write_text(own)
    (checkout / "src/__init__.py").write_text("root: /films\n")
    forget()
    assert b"+root: /films" in code_diff()
    assert b"Doe" not in code_diff()
    (checkout / "src/__init__.py").write_text("")  # so that checked_out does not take the code as it is here
    diff = code_diff()
    forget()
    with checked_out(Code(git(checkout, "rev-parse", "HEAD"), diff)) as code:
        assert code is not None
        assert (code / "conf/train.yaml").read_text() == own.replace("'/films/Doe, Jane/images.csv'", "<path>")


def test_a_run_keeps_what_differs_from_its_commit_and_counts_what_git_does_not_know(store: TrackingStore, checkout):
    clean = store.start_run("clean", {})
    clean.finish("FINISHED")
    assert code_of(store, store.find_run(clean.run_id)) == Code(git(checkout, "rev-parse", "HEAD"), b"")
    (checkout / "src/__init__.py").write_bytes(b"caf\xe9\n")
    (checkout / "README.md").write_text("not code")
    (checkout / "src/new.py").write_text("1")
    forget()
    dirty = store.start_run("dirty", {})
    dirty.finish("FINISHED")
    run = store.find_run(dirty.run_id)
    assert run.tags[UNTRACKED] == "1"
    diff = store.artifact(dirty.run_id, DIFF_FILE).read_bytes()
    assert b"+caf\xe9\n" in diff
    assert b"not code" not in diff
    assert code_of(store, run) == code_here()


def test_the_same_code_is_used_as_it_is_also_at_a_commit_that_changed_other_files(checkout):
    before = code_here()
    commit(checkout, "README.md", "a page")
    assert code_here() != before
    with checked_out(before) as tree:
        assert tree is None


def test_other_code_comes_as_it_was_and_goes_again(checkout):
    (checkout / "src/__init__.py").write_bytes(b"caf\xe9, never committed\n")
    forget()
    before = code_here()
    git(checkout, "checkout", "-q", "--", "src")
    commit(checkout, "conf/train.yaml", "later")
    with checked_out(before) as tree:
        assert tree is not None
        assert (tree / "src/__init__.py").read_bytes() == b"caf\xe9, never committed\n"
        assert (tree / "conf/train.yaml").read_text() == "conf/train.yaml\n"
        assert not tree.is_relative_to(checkout)
    assert not tree.exists()
    assert len(git(checkout, "worktree", "list").splitlines()) == 1
    assert (checkout / "conf/train.yaml").read_text() == "later"


def test_it_goes_also_where_the_work_in_it_fails(checkout):
    before = code_here()
    commit(checkout, "conf/train.yaml", "later")
    with pytest.raises(KeyboardInterrupt), checked_out(before):
        raise KeyboardInterrupt
    assert len(git(checkout, "worktree", "list").splitlines()) == 1


def test_a_commit_that_is_not_here_is_named(checkout):
    with (
        pytest.raises(MammoscopeError, match=f"{'0' * 39}1, which this checkout lacks"),
        checked_out(Code("0" * 39 + "1", b"")),
    ):
        pass


def test_an_installed_copy_repeats_only_itself(checkout):
    git(checkout, "rm", "-q", "--cached", "src/__init__.py")
    forget()
    installed = code_here()
    assert installed.commit.startswith("none: mammoscope")
    with checked_out(installed) as tree:
        assert tree is None
    with (
        pytest.raises(MammoscopeError, match="allowed: to reproduce it from a git checkout"),
        checked_out(Code("0" * 40, b"")),
    ):
        pass
