"""Which faults may be asked for, and of which phantom."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom import FAULTS, parse_faults, read_marker, write_phantom
from mammoscope.vocabulary import PHANTOM_FAULTS, Trap


def test_there_is_a_fault_for_every_trap():
    assert list(FAULTS) == list(Trap)


def test_it_is_a_phantom_and_drawn_alike_each_time(small: PhantomConfig, planted: Any, tmp_path: Path):
    config = replace(small, patients=44)
    write_phantom(tmp_path / "again", config, faults=tuple(reversed(Trap)), workers=1)
    marker = read_marker(planted.root)
    assert marker is not None
    assert marker.config == config
    ours = {path.relative_to(planted.root): path.read_bytes() for path in planted.root.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()} == ours
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_without_faults_there_is_no_list(tree: Path):
    assert not (tree / PHANTOM_FAULTS).exists()


def test_too_few_patients_are_refused(small: PhantomConfig, tmp_path: Path):
    carriers = len(Trap) + 3
    with pytest.raises(
        MammoscopeError, match=rf"patients=38: .* {carriers} patients to .*allowed: at least {carriers + 12}"
    ):
        write_phantom(tmp_path / "x", replace(small, patients=38), faults=tuple(Trap), workers=1)
    assert not list(tmp_path.iterdir())


def test_names_are_parsed_and_unknown_ones_refused():
    assert parse_faults("all") == tuple(Trap)
    assert parse_faults("truncated, leak") == (Trap.truncated, Trap.leak)
    for text in ("", "truncated,", "truncted", "list,leak", "Leak"):
        with pytest.raises(MammoscopeError, match="allowed: all, leak, duplicate_film"):
            parse_faults(text)
