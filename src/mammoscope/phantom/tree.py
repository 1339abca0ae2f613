"""The whole phantom: every patient, the CSVs, the sidecar, the marker; all of it at once or none of it."""

import glob
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2

from mammoscope.checks import check_phantom
from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom.ideal import ideal_auc
from mammoscope.phantom.marker import VERSION, Marker, write_latents, write_marker
from mammoscope.phantom.patient import PatientRows, write_patient
from mammoscope.phantom.plan import plan_patients
from mammoscope.phantom.tables import case_file, case_file_name, listing
from mammoscope.processes import end_with_parent, is_alive
from mammoscope.vocabulary import AbnormalityKind, Partition


def write_phantom(
    dest: Path,
    config: PhantomConfig,
    *,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Marker:
    """Write a phantom CBIS-DDSM into `dest`, which is absent or an empty folder: byte for byte the same for a config.

    workers: processes that draw; 0: as many as there are cores and work for. progress: called with (patients written,
    patients).
    Everything is written beside `dest` and moved there at the end. Two processes that write the same `dest` at once are
    the caller's to keep apart; the second to end is refused. Raises MammoscopeError on a bad value or a full `dest`.
    """
    check_phantom(config)
    _check_free(dest)
    marker = Marker(version=VERSION, ideal_auc=ideal_auc(config.d_prime), **asdict(config))
    partial_tree = dest.with_name(f".{dest.name}.{os.getpid()}.part")
    for left in dest.parent.glob(f".{glob.escape(dest.name)}.*.part"):
        if left == partial_tree or not is_alive(left.name.split(".")[-2]):
            shutil.rmtree(left, ignore_errors=True)  # of a killed process, which may have had our number
    try:
        partial_tree.mkdir(parents=True)
        _fill(partial_tree, config, marker, workers, progress)
        os.replace(partial_tree, dest)
    except OSError as error:
        raise MammoscopeError(f"{dest}: cannot write the phantom there: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial_tree, ignore_errors=True)
    return marker


def _check_free(dest: Path) -> None:
    if dest.is_dir():
        if any(dest.iterdir()):
            raise MammoscopeError(f"{dest}: not empty; a phantom is written to a new or an empty folder only")
    elif dest.exists() or dest.is_symlink():
        raise MammoscopeError(f"{dest}: not a folder; a phantom is written to a new or an empty folder only")


def _fill(
    root: Path, config: PhantomConfig, marker: Marker, workers: int, progress: Callable[[int, int], None] | None
) -> None:
    patients: list[PatientRows] = []
    for rows in _patients(root, config, workers):
        patients.append(rows)
        if progress:
            progress(len(patients), config.patients)
    cases = [case for rows in patients for case in rows.cases]
    for kind in AbnormalityKind:
        for published in (Partition.train, Partition.test):
            own = [case for case in cases if case.kind is kind and case.published is published]
            (root / case_file_name(kind, published)).write_bytes(case_file(kind, own))
    series = sorted((row for rows in patients for row in rows.series), key=lambda row: row.folder)
    (root / "metadata.csv").write_bytes(listing(series))
    write_latents(root, [latent for rows in patients for latent in rows.latents])
    write_marker(root, marker)


def _patients(root: Path, config: PhantomConfig, workers: int) -> Iterator[PatientRows]:
    """In the order of their numbers, whoever draws them."""
    planned = plan_patients(config)
    write = partial(write_patient, root, config)
    # A process takes seconds to import what it needs: as long as it draws thirty patients.
    workers = workers or max(1, min(len(os.sched_getaffinity(0)), len(planned) // 30))
    if workers == 1:
        yield from map(write, planned)
        return
    # Spawned, not forked: the caller may hold torch's and OpenCV's threads, which do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker) as pool:
        yield from pool.map(write, planned, chunksize=max(1, min(8, len(planned) // (4 * workers))))


def _start_worker() -> None:
    cv2.setNumThreads(1)
    end_with_parent()
