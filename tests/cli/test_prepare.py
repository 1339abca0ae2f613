from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.compose import compose_config
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.train import train

WORDS = ["data=calc", "view=cc", "phantom.patients=60", "phantom.height_px=192", "phantom.width_px=128"]
SIZES = ["split.validation_fraction=0.4", "image.height_px=24", "image.width_px=24", "store.workers=1"]


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["mammoscope", *words])
    _main()


def test_prepare_does_all_that_a_run_needs_and_begins_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run(monkeypatch, "prepare", *WORDS, *SIZES)
    said = capsys.readouterr().out
    assert said.count("drawing a phantom of 60 patients") == 1
    assert said.count("preparing calc-CC: ") == 1
    assert said.count("prepared already: calc-CC") == 1
    assert "validation: " in said
    assert len(list((tmp_path / "mlruns/store").glob("*/calc-CC/index.parquet"))) == 1
    assert not (tmp_path / "mlruns/mlflow.db").exists()
    store = tmp_path / "mlruns/store"
    run(monkeypatch, "prepare", "--list", f"store.root={store}")
    said = capsys.readouterr().out
    assert "calc CC roi 24 x 24 px" in said
    assert "finished" in said
    shard = next(store.glob("*/calc-CC/shard-0000.images.npy"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(MammoscopeError, match="1 damaged files"):
        run(monkeypatch, "prepare", "--verify", f"store.root={store}")
    assert "shard-0000.images.npy: its content is not what was written" in capsys.readouterr().out
    next(store.glob("*/calc-CC/index.parquet")).unlink()
    run(monkeypatch, "prepare", "--prune", f"store.root={store}")
    assert "unfinished" in capsys.readouterr().out
    assert shard.exists()
    run(monkeypatch, "prepare", "--prune", "--yes", f"store.root={store}")
    assert "1 stores deleted" in capsys.readouterr().out
    assert not shard.exists()


def test_parts_of_a_store_end_in_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, "prepare", *WORDS, *SIZES, "prepare.part=2/2")
    said = capsys.readouterr().out
    assert "shards are left to other parts" in said
    assert "split " not in said
    run(monkeypatch, "prepare", *WORDS, *SIZES, "prepare.part=1/2")
    assert "validation: " in capsys.readouterr().out
    assert len(list((tmp_path / "mlruns/store").glob("*/calc-CC/index.parquet"))) == 1


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_a_part_that_is_none_is_named(part: str):
    with pytest.raises(MammoscopeError, match=rf"prepare\.part={part}: allowed: i/n"):
        compose_config([f"prepare.part={part}"])


def test_a_run_wants_the_whole_store():
    with pytest.raises(MammoscopeError, match=r"prepare\.part=1/8: a run needs the whole store"):
        train(compose_config(["prepare.part=1/8"]))


def test_yes_confirms_nothing_but_a_deletion(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MammoscopeError, match="--yes: confirms --prune"):
        run(monkeypatch, "prepare", "--yes")
