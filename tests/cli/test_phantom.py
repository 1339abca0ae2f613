"""`mammoscope data phantom` with faults and sizes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import Trap


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., list[str]]:
    """Runs it in a folder of its own; returns the lines that it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["mammoscope", "data", "phantom", *words])
        _main()
        return capsys.readouterr().out.splitlines()

    return run


def test_the_list_names_every_trap_with_words_and_needs_no_folder(run, tmp_path: Path):
    lines = [line.split(maxsplit=1) for line in run("--faults", "list")]
    assert [name for name, _ in lines] == list(Trap)
    assert all(len(words) > 10 for _, words in lines)
    assert not list(tmp_path.iterdir())


def test_named_faults_are_planted(run, tmp_path: Path):
    run("tree", "--patients", "15", "--faults", "leak,truncated")
    content = json.loads((tmp_path / "tree/phantom_faults.json").read_text())
    assert list(content["faults"]) == ["leak", "truncated"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tree", "--faults", "leek"], "--faults leek: 'leek' is no fault; allowed: all, leak, duplicate_film"),
        (["tree", "--faults", ""], "--faults : '' is no fault"),
        (["tree", "--faults", "leak", "--patients", "13"], "phantom.patients=13: .*allowed: at least 14"),
        (["--faults", "leak"], "DEST is missing; allowed: a new or an empty folder"),
        ([], "DEST is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(run, tmp_path: Path, words: list[str], said: str):
    with pytest.raises(MammoscopeError, match=said):
        run(*words)
    assert not list(tmp_path.iterdir())


def test_full_size_is_about_that_of_the_real_films(run, monkeypatch: pytest.MonkeyPatch):
    asked: list[PhantomConfig] = []
    monkeypatch.setattr("mammoscope.jobs.sources.draw_phantom", lambda root, phantom, *rest: asked.append(phantom))
    run("tree", "--size", "full")
    run("tree")
    full, small = asked
    assert 2 * full.height_px * full.width_px == pytest.approx(26.7e6, rel=0.002)
    assert replace(full, height_px=small.height_px, width_px=small.width_px) == small
