"""`mammoscope dicom phi | deidentify`, as they are typed: what they exit with, and what they refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.errors import MammoscopeError

from ..dicom.privacy.planted import plain, write, written_planted

KEY = ("--key-file", "key", "--new-key", "--workers", "1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs it in a folder of its own; returns its exit status and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["mammoscope", "dicom", *words])
        try:
            _main()
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


def test_the_exit_status_says_what_was_found(run, tmp_path: Path):
    written_planted(tmp_path / "in" / "1.dcm")
    write(tmp_path / "in" / "2.dcm", plain(2))
    assert run("phi", "in", "--workers", "1")[0] == 1
    status, said = run("deidentify", "in", "out", *KEY, "--shift-dates", "--mapping", "who.csv")
    assert (status, said.count("2 de-identified")) == (0, 1)
    assert run("phi", "out", "-o", "phi.csv", "--workers", "1")[0] == 0
    assert (tmp_path / "phi.csv").read_text() == "file,place,vr,length,why,action,code\n"
    (tmp_path / "in" / "notes.txt").write_text("n")
    status, said = run("deidentify", "in", "out", *KEY, "--shift-dates")
    assert (status, said.count("2 de-identified in out, 1 not")) == (1, 1)
    status, said = run("deidentify", "in/2.dcm", "one", *KEY)
    assert (status, said.count("1 files: 1 de-identified")) == (0, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("phi", "absent"), "does not exist"),
        (("phi", "in", "-o", "in/phi.csv"), "only read"),
        (("phi", "in", "--workers", "-1"), "--workers -1"),
        (("deidentify", "absent", "out", *KEY), "does not exist"),
        (("deidentify", "in", "in/out", *KEY), "only read"),
        (("deidentify", "in", ".", *KEY), "lies in DEST"),
        (("deidentify", "in", "out", "--key-file", "absent"), "--new-key"),
    ],
)
def test_what_is_refused(run, tmp_path: Path, words: tuple[str, ...], said: str):
    write(tmp_path / "in" / "1.dcm", plain())
    with pytest.raises(MammoscopeError, match=said):
        run(*words)
