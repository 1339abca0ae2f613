import subprocess
from pathlib import Path

import pytest

import mammoscope
from mammoscope.tracking.origin import code_tags, host_digests, library_versions

NOBODY = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *NOBODY, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    """A checkout that the package seems to be imported from."""
    file = tmp_path / "src" / "__init__.py"
    file.parent.mkdir()
    file.touch()
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(mammoscope, "__file__", str(file))
    code_tags.cache_clear()
    yield tmp_path
    code_tags.cache_clear()


def test_a_clean_commit(checkout: Path):
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "x")
    commit = git(checkout, "rev-parse", "HEAD")
    assert code_tags() == {"git_commit": commit, "git_dirty": "false", "mlflow.source.git.commit": commit}


@pytest.mark.parametrize("change", ["src/__init__.py", "src/new.py"])
def test_a_change_or_a_new_file_is_dirt(checkout: Path, change: str):
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "x")
    (checkout / change).write_text("1")
    assert code_tags()["git_dirty"] == "true"


def test_nothing_committed_yet(checkout: Path):
    git(checkout, "add", ".")
    assert code_tags() == {"git_commit": "none: nothing is committed yet", "git_dirty": "true"}


def test_an_installed_copy_is_not_the_checkout_around_it(checkout: Path):
    assert code_tags()["git_commit"].startswith("none: mammoscope ")
    assert code_tags()["git_dirty"] == "unknown"


def test_versions_come_without_imports():
    versions = library_versions()
    assert versions["mlflow"].startswith("3.")
    assert "absent" not in (versions["torch"], versions["timm"])


def test_the_hosts_name_is_not_in_its_digests(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "radiology-ws-7")
    assert host_digests() == host_digests()
    assert all(len(digest) == 16 and "radiology" not in digest for digest in host_digests())
