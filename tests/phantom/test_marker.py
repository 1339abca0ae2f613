import json
import shutil
from pathlib import Path

import pytest

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom import ideal_auc, read_ideal_scores, read_marker
from mammoscope.phantom.marker import LATENTS, VERSION
from mammoscope.vocabulary import PHANTOM_FORMAT, PHANTOM_MARKER


@pytest.fixture
def marked(tree: Path, tmp_path: Path) -> Path:
    """A root with a marker and a table of latents that may be spoilt."""
    folder = tmp_path / "source" / "phantom"
    folder.mkdir(parents=True)
    for name in (PHANTOM_MARKER, LATENTS):
        shutil.copy(tree / name, folder / name)
    return folder


def test_marker_comes_back(tree: Path, small: PhantomConfig):
    marker = read_marker(tree)
    assert marker is not None
    assert marker.config == small
    assert marker.version == VERSION
    assert marker.ideal_auc == ideal_auc(small.d_prime)


def test_no_marker_is_no_phantom(tmp_path: Path):
    assert read_marker(tmp_path) is None
    assert read_marker(tmp_path / "absent") is None


def test_a_marker_one_folder_below_is_found_with_its_latents(marked: Path):
    """Where the case descriptions may lie too: whoever reads the tree, it is a phantom."""
    assert read_marker(marked.parent) == read_marker(marked)
    assert read_ideal_scores(marked.parent) == read_ideal_scores(marked)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "another"),
        ("version", VERSION + 1),
        ("version", None),
        ("patients", "320"),
        ("patients", 1.5),
        ("seed", True),
        ("d_prime", None),
    ],
)
def test_a_wrong_or_newer_marker_is_refused(marked: Path, key: str, value: object):
    path = marked / PHANTOM_MARKER
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(MammoscopeError, match=r"PHANTOM\.json.*(format|version|patients|seed|d_prime)"):
        read_marker(marked)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\xff"])
def test_a_damaged_marker_is_refused(marked: Path, text: str):
    (marked / PHANTOM_MARKER).write_bytes(text.encode("latin-1"))
    with pytest.raises(MammoscopeError, match=r"PHANTOM\.json"):
        read_marker(marked)


def test_the_marker_says_what_it_is(tree: Path):
    assert json.loads((tree / PHANTOM_MARKER).read_text())["format"] == PHANTOM_FORMAT


@pytest.mark.parametrize("content", ["", "abnormality\nx\n", "abnormality,log_likelihood_ratio\nx,high\n", "\x00"])
def test_damaged_latents_are_refused(marked: Path, content: str):
    (marked / LATENTS).write_text(content)
    with pytest.raises(MammoscopeError, match=LATENTS):
        read_ideal_scores(marked)


@pytest.mark.parametrize("ratio", ["nan", "inf"])
def test_latents_must_be_finite(marked: Path, ratio: str):
    (marked / LATENTS).write_text(f"abnormality,log_likelihood_ratio\nx,{ratio}\n")
    with pytest.raises(MammoscopeError, match="finite"):
        read_ideal_scores(marked)


def test_absent_latents_are_refused(tmp_path: Path):
    with pytest.raises(MammoscopeError, match="not found"):
        read_ideal_scores(tmp_path)
