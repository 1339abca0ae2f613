"""The line that is redrawn in place, in a real pseudo-terminal."""

import io
import threading
import time

import pytest

from mammoscope.reporting import console, live
from mammoscope.reporting.console import line_in_place, say
from mammoscope.reporting.live import LiveLine, PlainLines, can_redraw

from ..terminal import frames, terminal


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(live, "REDRAWN_EVERY_S", 0.0)


def test_it_is_redrawn_in_place_and_leaves_nothing(at_once):
    with terminal() as screen:
        line = LiveLine(screen.slave)
        for step in range(3):
            line.show(lambda step=step: f"step {step} of 10000"[: 17 - step])
        line.close()
        told = screen.close()
    shown = frames(told)
    assert [lines[-1] for lines in shown if lines[-1]] == ["step 0 of 10000", "step 1 of 10000", "step 2 of 10000"]
    assert shown[-1] == [""]
    assert b"\n" not in told


def test_what_is_said_meanwhile_stands_above_it(at_once, monkeypatch):
    with terminal() as screen:
        monkeypatch.setattr("sys.stderr", screen.slave)
        monkeypatch.setattr(console.console, "_file", screen.slave)
        with line_in_place() as line:
            line.show(lambda: "a long line about step 1")
            say("epoch 1")
            thread = threading.Thread(target=say, args=("the store is away",))
            thread.start()
            thread.join()
            line.show(lambda: "step 2")
        say("the end")
        shown = frames(screen.close())
    assert ["epoch 1", "the store is away", "step 2"] in shown
    assert shown[-1] == ["epoch 1", "the store is away", "the end", ""]


def test_it_is_cut_to_the_terminals_width(at_once):
    with terminal(columns=20) as screen:
        LiveLine(screen.slave).show(lambda: "x" * 50)
        assert frames(screen.close())[-1] == ["x" * 19]


def test_it_is_redrawn_a_few_times_a_second_and_its_text_is_not_made_more_often():
    asked = []
    with terminal() as screen:
        line = LiveLine(screen.slave)
        end = time.monotonic() + 0.9
        while time.monotonic() < end:
            line.show(lambda: asked.append(1) or "text")
        screen.close()
    assert 3 <= len(asked) <= 4


def test_a_call_costs_less_than_a_hundred_thousandth_of_a_second():
    with terminal() as screen:
        line = LiveLine(screen.slave)
        best = min(_seconds(line, 10_000) for _ in range(5))
    assert best / 10_000 < 1e-5


def _seconds(line: LiveLine, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        line.show(str)
    return time.perf_counter() - started


def test_a_terminal_that_is_closed_costs_the_line_alone(at_once, monkeypatch):
    def refuse(text: str) -> int:
        raise OSError(5, "Input/output error")

    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", refuse)
    line = LiveLine(stream)
    line.show(lambda: "step 1")
    line.show(lambda: pytest.fail("it is given up"))
    line.close()


def test_elsewhere_a_line_comes_once_a_minute_after_what_was_said_last(monkeypatch):
    said: list[str] = []
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    line = PlainLines(said.append)
    for second in range(0, 200, 10):
        now[0] = second
        if second == 100:
            with line.aside():
                said.append("epoch 1")
        before = len(said)
        line.show(lambda second=second: f"at {second} s")
        if len(said) > before:
            with line.aside():  # as say does
                pass
    assert said == ["at 60 s", "epoch 1", "at 160 s"]


def test_a_pipe_and_a_dumb_terminal_are_not_redrawn(monkeypatch):
    assert not can_redraw(io.StringIO())
    with terminal() as screen:
        monkeypatch.setenv("TERM", "xterm")
        assert can_redraw(screen.slave)
        monkeypatch.setenv("TERM", "dumb")
        assert not can_redraw(screen.slave)
