"""The doctor's exit status is the command's."""

import json
from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom


def doctor(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["mammoscope", "data", "doctor", *words])
    try:
        _main()
    except SystemExit as end:
        return end.code
    return 0


def test_status_and_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    root = tmp_path / "phantom"
    config = PhantomConfig(patients=24, seed=2, d_prime=2.0, height_px=128, width_px=96, test_fraction=0.3)
    write_phantom(root, config, workers=1)
    words = [str(root), "--store", str(tmp_path / "store"), "--workers", "1"]
    for more, status, verdict in ((["--no-pixels"], 2, "partial but usable"), ([], 0, "complete")):
        assert doctor(monkeypatch, *words, *more) == status
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"{verdict} (exit status {status})")
    (root / "PHANTOM.json").write_text(json.dumps({"format": "mammoscope-phantom"}))
    for path in root.rglob("*.dcm"):
        path.write_bytes(b"")
    assert doctor(monkeypatch, *words) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("blocked (exit status 1)")


def test_help_says_what_each_status_means(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert doctor(monkeypatch, "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(words in said for words in ("0 complete", "2 partial but usable", "1 blocked", "--html FILE"))
