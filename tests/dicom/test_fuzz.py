"""Thousands of damaged files: each gives a result or an error with a code, in little time and memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

PROGRAM, SOURCE = Path(__file__).with_name("fuzzing.py"), Path(__file__).parents[2] / "src"
COMPUTING_S, CLOCK_S, MEMORY_MB = 2.0, 60.0, 512.0  # the clock goes on while other tests compute


def fuzz(*words: object) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, PROGRAM, *map(str, words)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"the process ended with {done.returncode}: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


def check(found: dict[str, Any]) -> None:
    assert not found["failures"], "\n".join(found["failures"][:10])
    assert found["slowest_s"] < COMPUTING_S, found["slowest"]
    assert found["waited_s"] < CLOCK_S
    assert found["most_mb"] < MEMORY_MB


def test_five_hundred_damaged_files(tmp_path: Path):
    found = fuzz(0, 500, tmp_path)
    check(found)
    counts = Counter(found["outcomes"])
    assert counts.total() == 500
    assert len(counts) >= 10, counts  # of kinds: damage that gives one error alone would try little
    assert counts["result"] >= 50, counts  # and some goes through to the end


@pytest.mark.slow
def test_twenty_thousand_damaged_files(tmp_path: Path):
    """Other files than the test above has. Each process takes its share, one after the other."""
    bounds = range(10_000, 30_001, 1000)
    with ThreadPoolExecutor(os.cpu_count() or 1) as processes:
        for found in processes.map(lambda first: fuzz(first, first + 1000, tmp_path), bounds[:-1]):
            check(found)
            assert len(found["outcomes"]) == 1000
