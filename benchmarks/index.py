"""How long it takes to know a tree of 10,239 DICOM files: from nothing, and when nothing has changed.

Targets: from nothing at most 1.3x a loop of pydicom.dcmread(stop_before_pixels=True) divided by the processes; when
unchanged at most 3x a bare os.scandir walk with stat. The tree is a phantom's, its files small and in the page cache:
what is measured is work, not the disk.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pydicom

from mammoscope.catalog.cache import load_catalog
from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom

FILES_IN_CBIS_DDSM = 10_239
FILES_A_PATIENT = 7  # of a phantom, about


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def draw(root: Path, files: int) -> list[Path]:
    """A phantom of so many files: of a few more, the patients that are one too many lose theirs."""
    patients = max(12, round(files / FILES_A_PATIENT * 1.3))
    config = PhantomConfig(patients=patients, seed=0, d_prime=1.8, height_px=128, width_px=96, test_fraction=0.25)
    print(f"drawing {patients} patients", flush=True)
    write_phantom(root, config, workers=len(os.sched_getaffinity(0)))
    left = len(list(root.rglob("*.dcm")))
    for folder in sorted(root.glob("CBIS-DDSM/*"), reverse=True):
        if left <= files:
            break
        left -= len(list(folder.rglob("*.dcm")))
        shutil.rmtree(folder)
    return sorted(root.rglob("*.dcm"))


def scan(folder: str) -> int:
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found += scan(entry.path)
            else:
                entry.stat()
                found += 1
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES_IN_CBIS_DDSM)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    processes = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch) / "tree", Path(scratch) / "cache"
        files = draw(root, asked.files)
        fresh, again = [], []
        for _ in range(asked.rounds):  # a round runs all, so that whatever else the machine does hits all alike
            shutil.rmtree(cache, ignore_errors=True)
            loop = seconds(lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in files])
            index = seconds(lambda: load_catalog(root, cache, workers=processes))
            fresh.append((index, index / (loop / processes)))
            walk = seconds(lambda: scan(str(root)))
            unchanged = seconds(lambda: load_catalog(root, cache, workers=processes))
            again.append((unchanged, unchanged / walk))
    print(f"{len(files)} files, {processes} processes")
    missed = False
    for what, rounds, peer, target in (
        ("from nothing", fresh, f"a loop of dcmread / {processes}", 1.3),
        ("unchanged", again, "os.scandir and stat", 3.0),
    ):
        ratio = statistics.median(ratio for _, ratio in rounds)
        missed |= ratio > target
        took = statistics.median(took for took, _ in rounds)
        print(f"{what:13} {took:.3f} s   {ratio:.2f} x {peer} (target: at most {target})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
