"""What a person at a terminal sees of a training, and what a file gets of it."""

import re

import pytest

from mammoscope.jobs.train import train
from mammoscope.jobs.watch import in_words
from mammoscope.reporting import live

from ..terminal import frames, terminal

LINE = re.compile(
    r"epoch \d/2  step \d+/(\d+)(  loss \d\.\d{4})?  (\?|[\d:]+ (s|min|h)) left  \d+ images/s"
    r"(  validation abnormality AUC \d\.\d{3})?(  validating)?"
)


def test_a_terminal_shows_each_step_on_standard_error_and_the_output_stays_lines(configure, monkeypatch, capsys):
    monkeypatch.setattr(live, "REDRAWN_EVERY_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with terminal(columns=200) as screen:
        monkeypatch.setattr("sys.stderr", screen.slave)
        train(configure("tracking.register=never"))
        told = screen.close()
    shown = [lines[-1] for lines in frames(told) if lines[-1]]
    assert not [text for text in shown if not LINE.fullmatch(text)]
    steps = int(LINE.fullmatch(shown[0])[1])
    for epoch in (1, 2):
        for step in range(1, steps + 1):
            assert [text for text in shown if text.startswith(f"epoch {epoch}/2  step {step}/{steps}")]
    assert shown[-1].endswith("validating")
    assert frames(told)[-1] == [""]
    said = capsys.readouterr().out
    assert len(re.findall(r"^epoch \d/2  loss .* left$", said, re.M)) == 2
    assert "\r" not in said
    assert "step" not in said


def test_a_file_gets_a_line_now_and_then(configure, monkeypatch, capfd):
    monkeypatch.setattr(live, "PLAIN_EVERY_S", 0.0)
    train(configure("tracking.register=never"))
    said = [line for line in capfd.readouterr().out.splitlines() if "  step " in line]
    assert said
    assert all(LINE.fullmatch(line) for line in said)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (99.4, "99 s"), (100, "1:40 min"), (5999, "99:59 min"), (6000, "1:40 h"), (90061, "25:01 h")],
)
def test_durations_are_short(seconds: float, words: str):
    assert in_words(seconds) == words
