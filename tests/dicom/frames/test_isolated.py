"""Bombs, crashes and endless decoding: an error with a code, and the next frame is decoded."""

import io
import multiprocessing
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from mammoscope.dicom.frames import compressed as compressed_frames
from mammoscope.dicom.frames import isolated
from mammoscope.dicom.frames.compressed import is_doubtful
from mammoscope.errors import DicomError
from mammoscope.processes import started_ticks

from ..images import compress, compressed, encapsulated, opened, refusal, stored, written

Write = Callable[[Dataset | bytes], Path]
PIXELS = (np.arange(64 * 64) % 4000).reshape(64, 64).astype(np.uint16)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


@pytest.fixture
def fresh() -> Iterator[None]:
    isolated._end()
    yield
    isolated._end()


def apart(path: Path) -> np.ndarray:
    return stored(path, isolated=True)


def worker() -> subprocess.Popen[bytes]:
    assert isolated._worker is not None
    return isolated._worker.process


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("dtype", ["u2", "i2"])
def test_the_same_values_by_one_worker_for_all(write: Write, syntax: str, dtype: str):
    pixels = PIXELS.astype(dtype) - (2000 if dtype == "i2" else 0)
    path = write(compressed(pixels, syntax, 12))
    first = apart(path)
    pid = worker().pid
    np.testing.assert_array_equal(first, pixels)
    assert first.dtype == pixels.dtype
    apart(path)
    assert worker().pid == pid


def test_colour_and_errors_of_a_frame_come_back(write: Write):
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 1] = 200
    np.testing.assert_array_equal(apart(write(compressed(rgb, JPEGLSLossless))), rgb)
    stream = bytearray(compress(PIXELS, JPEG2000Lossless, 12))
    pid = worker().pid
    stream[120:140] = b"\xaa" * 20
    damaged = encapsulated([bytes(stream)], PIXELS, JPEG2000Lossless)
    assert refusal(apart, write(damaged))[0] in ("E-UNDECODABLE", "E-TRUNCATED")
    assert worker().pid == pid


def blank(side: int, **options: object) -> bytes:
    """A stream of a small blank picture that says it has so many rows and columns."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(buffer, "JPEG2000", no_jp2=True, **options)
    stream, size = buffer.getvalue(), side.to_bytes(4) * 2
    at = stream.index(b"\xff\x51") + 6
    return stream[:at] + size + stream[at + 8 : at + 16] + size + stream[at + 24 :]


def bomb(side: int, padding: int = 0, **options: object) -> Dataset:
    stream = blank(side, **options) + bytes(padding)
    return encapsulated([stream], np.zeros((1, 1), np.uint8), JPEG2000Lossless, Rows=side, Columns=side)


TINY = {"codeblock_size": (4, 4)}


@pytest.mark.parametrize(
    ("side", "padding", "options"), [(16000, 0, {}), (16000, 2_600_000, {}), (2000, 0, TINY), (2000, 50_000, TINY)]
)
def test_a_bomb_whose_header_agrees_is_an_error_without_its_memory(
    write: Write, side: int, padding: int, options: dict[str, object]
):
    """Two hundred bytes that unfold to a gigabyte: decoded apart though nobody has asked for it."""
    path = write(bomb(side, padding, **options))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, reason = refusal(stored, path)
    assert code == "E-TOO-LARGE" or "MB of memory" in reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + (64 << 10)
    if isolated._worker is not None:
        peak = [line for line in Path(f"/proc/{worker().pid}/status").read_text().splitlines() if "VmHWM" in line]
        assert int(peak[0].split()[1]) < (768 if padding else 512) << 10
    assert refusal(stored, write(bomb(20000)))[0] == "E-SIZE"


@pytest.mark.parametrize(
    ("side", "stream_bytes", "is_expected"),
    [(700, 100, False), (2000, 100, True), (2000, 80_001, False), (4090, 400_000, False), (4100, 40_000_000, True)],
)
def test_what_is_doubtful(write: Write, side: int, stream_bytes: int, is_expected: bool):
    """Of 16 bits: 1 MB in 100 bytes is not, 8 MB are; more than 33 MB always are."""
    d = encapsulated([b".."], np.zeros((1, 1), np.uint16), JPEG2000Lossless, Rows=side, Columns=side)
    with opened(write(d)) as (_, facts):
        assert is_doubtful(bytes(stream_bytes), facts) == is_expected


def test_a_large_blank_film_is_no_bomb(write: Write, monkeypatch: pytest.MonkeyPatch):
    pixels = np.zeros((2048, 2048), np.uint16)
    path = write(compressed(pixels, JPEGLSLossless))
    monkeypatch.setattr(compressed_frames, "decoded_here", None)  # it is doubtful
    np.testing.assert_array_equal(stored(path), pixels)


def test_too_little_memory(write: Write, monkeypatch: pytest.MonkeyPatch):
    path = write(compressed(np.zeros((4096, 4096), np.uint16), JPEGLSLossless))
    monkeypatch.setattr(isolated, "allowed_bytes", lambda stream, facts: 1 << 20)
    code, reason = refusal(apart, path)
    assert code == "E-TOO-LARGE" or "allowed 1 MB" in reason
    monkeypatch.undo()
    assert apart(path).shape == (4096, 4096)


def test_too_long(write: Write, fresh: None, monkeypatch: pytest.MonkeyPatch):
    path = write(
        compressed(np.random.default_rng(0).integers(0, 65536, (600, 600)).astype(np.uint16), JPEG2000Lossless)
    )
    monkeypatch.setattr(isolated, "allowed_seconds", lambda facts: 0.01)
    code, reason = refusal(apart, path)
    assert code == "E-TIMEOUT"
    assert "0.0 s" in reason
    monkeypatch.undo()
    assert apart(path).shape == (600, 600)


@pytest.mark.slow
def test_a_worker_that_hangs_without_computing_is_ended(write: Write, fresh: None, monkeypatch: pytest.MonkeyPatch):
    path = write(compressed(PIXELS, RLELossless))
    apart(path)
    worker().send_signal(signal.SIGSTOP)
    monkeypatch.setattr(isolated, "allowed_seconds", lambda facts: 0.01)
    assert refusal(apart, path)[0] == "E-TIMEOUT"
    monkeypatch.undo()
    np.testing.assert_array_equal(apart(path), PIXELS)


def test_a_decoder_that_crashes(write: Write, fresh: None, monkeypatch: pytest.MonkeyPatch):
    path = write(compressed(PIXELS, RLELossless))
    monkeypatch.setattr(
        isolated,
        "_COMMAND",
        "import os, sys; c = __import__('multiprocessing.connection', fromlist=['Connection'])."
        "Connection(int(sys.argv[1])); c.send_bytes(b'ready'); c.recv_bytes(); os.abort()",
    )
    code, reason = refusal(apart, path)
    assert (code, reason) == ("E-UNDECODABLE", f"the decoder ended its process, with status {-signal.SIGABRT}")
    monkeypatch.setattr(isolated, "_COMMAND", "raise SystemExit(7)")
    assert refusal(apart, path) == ("E-UNDECODABLE", "the process that decodes did not start: status 7")
    monkeypatch.undo()
    np.testing.assert_array_equal(apart(path), PIXELS)


def test_a_worker_that_was_ended_while_idle_is_replaced(write: Write):
    path = write(compressed(PIXELS, RLELossless))
    apart(path)
    process = worker()
    process.kill()
    process.wait()
    np.testing.assert_array_equal(apart(path), PIXELS)


def test_the_worker_imports_nothing_of_training(write: Write):
    apart(write(compressed(PIXELS, RLELossless)))
    maps = Path(f"/proc/{worker().pid}/maps").read_text()
    assert "openjpeg" in maps
    assert "torch" not in maps


def in_a_fork(path: Path) -> tuple[int, int]:
    values = apart(path)
    return int(values.sum()), worker().pid


@pytest.mark.slow
def test_a_fork_has_its_own(write: Write):
    path = write(compressed(PIXELS, RLELossless))
    apart(path)
    pid = worker().pid
    with multiprocessing.get_context("fork").Pool(1) as pool:
        total, other = pool.apply(in_a_fork, (path,))
    assert total == PIXELS.sum()
    assert other != pid
    np.testing.assert_array_equal(apart(path), PIXELS)
    assert worker().pid == pid


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from mammoscope.dicom.frames import compressed as compressed_frames
from mammoscope.dicom.frames import isolated
from mammoscope.dicom.frames.compressed import is_doubtful
from mammoscope.dicom.frames.frame import image_facts, stored_frame
from mammoscope.dicom.layout import open_dicom
path = Path({file!r})
with open_dicom(path) as layout:
    stored_frame(layout, image_facts(layout, path), path, 0, isolated=True)
print(isolated._worker.process.pid, flush=True)
input()
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [True, False])
def test_it_does_not_outlive_its_parent(write: Write, is_killed: bool):
    path = write(compressed(PIXELS, RLELossless))
    code = PARENT.format(paths=sys.path, file=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert started_ticks(pid) is not None
        if is_killed:
            parent.kill()
        else:
            parent.communicate(b"\n")
    until = time.monotonic() + 10
    while started_ticks(pid) is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert started_ticks(pid) is None
    assert is_killed or parent.returncode == 0


@pytest.mark.slow
def test_an_interruption_leaves_no_answer_for_the_next_frame(
    write: Write, fresh: None, monkeypatch: pytest.MonkeyPatch
):
    other = PIXELS // 2
    path = write(compressed(PIXELS, RLELossless))
    apart(path)

    def interrupted(*args: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(isolated._worker.connection), "poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        apart(path)
    monkeypatch.undo()
    np.testing.assert_array_equal(apart(write(compressed(other, RLELossless))), other)


def test_damaged_streams_end_in_a_picture_or_a_code(write: Write):
    """A hundred of each; the slow suite has thousands."""
    rng = np.random.default_rng(0)
    pixels = (PIXELS // 16).astype(np.uint8)
    codes = []
    for syntax in (JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless, RLELossless):
        stream = np.frombuffer(compress(pixels, syntax, 8), np.uint8)
        for _ in range(100):
            damaged = stream.copy()
            damaged[rng.integers(0, len(stream), 3)] = rng.integers(0, 256, 3)
            try:
                values = apart(write(encapsulated([damaged.tobytes()], pixels, syntax)))
            except DicomError as error:
                codes.append(error.code)
            else:
                assert (values.shape, values.dtype) == (pixels.shape, pixels.dtype)
    assert len(codes) > 50
