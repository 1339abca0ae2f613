"""Headers read by several processes: at a terminal, under a progress bar, too."""

import os
import subprocess
import sys
from pathlib import Path

from ..terminal import terminal

# a fork has what was put in place here, a process that begins anew would not
_INDEX = """
import os, sys
from pathlib import Path
from mammoscope import pool
from mammoscope.catalog import headers
from mammoscope.cli.__main__ import main

read_header = headers.read_header
def noting(path):
    Path(sys.argv[-1]).parent.joinpath("readers", str(os.getpid())).touch()
    return read_header(path)
headers.read_header, headers._CHUNK = noting, 4
pool.os.sched_getaffinity = lambda process: {0, 1}
main()
"""


def test_a_progress_bar_does_not_keep_other_processes_from_reading(make_tree, tmp_path: Path):
    tree = make_tree()
    readers = tree.root.parent / "readers"
    readers.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    with terminal() as shown:
        command = [sys.executable, "-c", _INDEX, "data", "index", str(tree.root)]
        process = subprocess.Popen(command, env=environment, stdout=shown.slave, stderr=shown.slave, cwd=tmp_path)
        assert process.wait(60) == 0
        told = shown.close().decode()
    assert "reading headers" in told
    pids = {int(path.name) for path in readers.iterdir()}
    assert pids
    assert process.pid not in pids
