"""`mammoscope dicom headers` on 10,239 files against the loop that everybody writes; and its memory on four times more.

Target: with 2 processes at least 1.7x a single process that loops over `pydicom.dcmread(stop_before_pixels=True)` and
makes a pandas frame of it. With --memory: the largest process at most 100 MB larger at 40,000 files than at 10,000.
Files are as CBIS-DDSM's with a few pixels, in the page cache: what is measured is work, not the disk. The peer keeps
its frame in memory; ours writes the table, its census and its anomalies.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pydicom

from mammoscope.collection.headers import headers_table
from mammoscope.dicom.write import FilmHeader, write_film
from mammoscope.reporting.console import console
from mammoscope.vocabulary import Laterality, View

FILES_IN_CBIS_DDSM = 10_239
MEMORY_FILES = (10_000, 40_000)
TARGET, MEMORY_TARGET_MB = 1.7, 100
_UID = "1.3.6.1.4.1.9590.100.1.2.1{:0>38}"
_UIDS_A_FILE = 3

Peaks = tuple[float, float]
Work = Callable[[Path, Path, int], object]  # of a tree, a table to write and a number of processes


def write_tree(root: Path, files: int) -> list[Path]:
    """Patients of four pictures each; every picture a study of a folder of its own, as TCIA has them."""
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    paths = []
    for number in range(files):
        patient, picture = divmod(number, 4)
        side, view = (Laterality.left, Laterality.right)[picture % 2], (View.CC, View.MLO)[picture // 2]
        patient_id = f"Mass-Training_P_{patient:05}_{side.upper()}_{view}"
        study, series, sop = (_UID.format(number * _UIDS_A_FILE + k) for k in range(_UIDS_A_FILE))
        header = FilmHeader(
            patient_id=patient_id, study_uid=study, series_uid=series, sop_uid=sop,
            description="full mammogram images", instance_number=1, laterality=side, view=view,
            study_date=f"20{10 + patient % 10}{1 + patient % 12:02}{1 + patient % 28:02}",
            study_time=f"{number % 24:02}{number % 60:02}{number % 60:02}",
            content_date="20160426", content_time=f"{number % 24:02}4127.{number % 1000:03}", site="79356302",
        )  # fmt: skip
        path = root / patient_id / f"07-20-2016-DDSM-NA-{number:05}" / "1-1.dcm"
        path.parent.mkdir(parents=True)
        write_film(path, pixels + number % 1000, header)
        paths.append(path)
    return paths


def peer(paths: list[Path]) -> pd.DataFrame:
    rows = []
    for path in paths:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        rows.append({element.keyword or str(element.tag): element.value for element in dataset})
    return pd.DataFrame(rows)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processors: of this process and of those that it has waited for."""
    started, used = time.perf_counter(), processor_seconds()
    work()
    return time.perf_counter() - started, processor_seconds() - used


def processor_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_speed(scratch: Path, files: int, rounds: int, processes: int) -> bool:
    root = scratch / "tree"
    paths = write_tree(root, files)
    pa.array([0])  # loads pandas, which the peer has loaded, too
    ratios, took, used = [], [], []
    for number in range(rounds):  # a round runs both, so that whatever else the machine does hits both
        loop, loop_used = seconds(lambda: peer(paths))
        output = scratch / f"{number}.parquet"
        table, table_used = seconds(lambda: headers_table(root, output, workers=processes))  # noqa: B023
        took.append(table)
        used.append(loop_used / table_used)
        ratios.append(loop / table)
        words = f"loop {loop:.2f} s ({loop_used:.2f} s of processor), table {table:.2f} s ({table_used:.2f} s)"
        print(f"round {number + 1}: {words}", flush=True)
    ratio = statistics.median(ratios)
    took_us = statistics.median(took) / files * 1e6
    print(f"{files} files, {processes} processes, {took_us:.0f} us a file")
    print(f"{ratio:.2f} x the loop in one process (target: at least {TARGET})")
    print(f"{statistics.median(used):.2f} x by seconds of processor, which others on the machine change less")
    return ratio >= TARGET


def _peak_mb(
    work: Work, root: Path, table: Path, processes: int, tell: "multiprocessing.Queue[tuple[float, float]]"
) -> None:
    """Of the process that conducts, and of the largest of those that read. In kB on Linux."""
    console.quiet = True
    work(root, table, processes)
    peaks = [resource.getrusage(who).ru_maxrss / 1000 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    tell.put((peaks[0], peaks[1]))


def measure_memory(work: Work, scratch: Path, processes: int) -> bool:
    context = multiprocessing.get_context("spawn")  # a fork would begin with our own peak
    found = []
    for files in MEMORY_FILES:
        write_tree(scratch / f"tree-{files}", files)
        tell: multiprocessing.Queue[Peaks] = context.Queue()
        arguments = (work, scratch / f"tree-{files}", scratch / f"{files}.parquet", processes, tell)
        process = context.Process(target=_peak_mb, args=arguments)
        process.start()
        found.append(tell.get())
        process.join()
        print(f"{files} files: {found[-1][0]:.0f} MB, of the reading processes {found[-1][1]:.0f} MB", flush=True)
    growth = max(last - first for first, last in zip(*found, strict=True))
    print(f"grows by {growth:.0f} MB (target: at most {MEMORY_TARGET_MB})")
    return growth <= MEMORY_TARGET_MB


def _table(root: Path, table: Path, processes: int) -> None:
    headers_table(root, table, workers=processes)


def measured(about: str | None, speed: Callable[[Path, int, int, int], bool], table: Work) -> int:
    """What the command line asks for: the speed, or the memory that making a table takes. 0: the targets are met."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--files", type=int, default=FILES_IN_CBIS_DDSM)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure memory in place of speed")
    asked = parser.parse_args()
    processes = min(2, len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as scratch:
        if asked.memory:
            return int(not measure_memory(table, Path(scratch), processes))
        return int(not speed(Path(scratch), asked.files, asked.rounds, processes))


if __name__ == "__main__":
    sys.exit(measured(__doc__, measure_speed, _table))
