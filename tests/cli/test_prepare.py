from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main


def test_prepare_does_all_that_a_run_needs_and_begins_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["phantom.patients=60", "phantom.height_px=192", "phantom.width_px=128", "split.validation_fraction=0.4"]
    sizes = ["image.height_px=24", "image.width_px=24", "store.workers=1"]
    for _ in range(2):
        monkeypatch.setattr("sys.argv", ["mammoscope", "prepare", "data=calc", "view=cc", *words, *sizes])
        _main()
    said = capsys.readouterr().out
    assert said.count("drawing a phantom of 60 patients") == 1
    assert said.count("preparing calc-CC: ") == 1
    assert said.count("prepared already: calc-CC") == 1
    assert "validation: " in said
    assert len(list((tmp_path / "mlruns/store").glob("*/calc-CC/index.parquet"))) == 1
    assert not (tmp_path / "mlruns/mlflow.db").exists()
