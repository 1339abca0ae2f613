"""The whole phantom: every patient, the CSVs, the sidecar, the marker; all of it at once or none of it."""

import glob
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mammoscope.checks import check_phantom
from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom.faults import plan_with_faults, plant_faults
from mammoscope.phantom.faults.plan import FaultyPlan
from mammoscope.phantom.ideal import ideal_auc
from mammoscope.phantom.marker import VERSION, Marker, write_latents, write_marker
from mammoscope.phantom.patient import PatientRows, Tree, write_patient
from mammoscope.phantom.plan import PlannedPatient
from mammoscope.phantom.tables import case_file, case_file_name, listing
from mammoscope.pool import open_pool
from mammoscope.processes import is_alive
from mammoscope.vocabulary import CBIS_DDSM_KINDS, Partition, Trap


def write_phantom(
    dest: Path,
    config: PhantomConfig,
    *,
    faults: Collection[Trap] = (),
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Marker:
    """Write a phantom CBIS-DDSM into `dest`, which is absent or an empty folder: byte for byte the same for a config.

    faults: traps to plant. The phantom then has these, listed in vocabulary.PHANTOM_FAULTS, and none of those that it
    has by nature. workers: processes that draw; 0: as many as there are cores and work for. progress: called with
    (patients written, patients).
    Everything is written beside `dest` and moved there at the end. Two processes that write the same `dest` at once are
    the caller's to keep apart; the second to end is refused. Raises MammoscopeError on a bad value or a full `dest`.
    """
    check_phantom(config)
    plan = plan_with_faults(config, faults)
    _check_free(dest)
    marker = Marker(version=VERSION, ideal_auc=ideal_auc(config.d_prime), **asdict(config))
    partial_tree = dest.with_name(f".{dest.name}.{os.getpid()}.part")
    for left in dest.parent.glob(f".{glob.escape(dest.name)}.*.part"):
        if left == partial_tree or not is_alive(left.name.split(".")[-2]):
            shutil.rmtree(left, ignore_errors=True)  # of a killed process, which may have had our number
    try:
        partial_tree.mkdir(parents=True)
        _fill(Tree(partial_tree, config, plan.namespace), plan, workers, progress)
        write_marker(partial_tree, marker)
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


def _fill(tree: Tree, plan: FaultyPlan, workers: int, progress: Callable[[int, int], None] | None) -> None:
    root, patients = tree.root, list[PatientRows]()
    for rows in _patients(tree, plan.patients, workers):
        patients.append(rows)
        if progress:
            progress(len(patients), len(plan.patients))
    patients = plant_faults(tree, plan, patients)
    cases = [case for rows in patients for case in rows.cases]
    for kind in CBIS_DDSM_KINDS:
        for published in (Partition.train, Partition.test):
            own = [case for case in cases if case.kind is kind and case.published is published]
            (root / case_file_name(kind, published)).write_bytes(case_file(kind, own))
    series = sorted((row for rows in patients for row in rows.series), key=lambda row: row.folder)
    (root / "metadata.csv").write_bytes(listing(series))
    write_latents(root, [latent for rows in patients for latent in rows.latents])


def _patients(tree: Tree, planned: Sequence[PlannedPatient], workers: int) -> Iterator[PatientRows]:
    """In the order of their numbers, whoever draws them."""
    write = partial(write_patient, tree)
    # A process takes seconds to import what it needs: as long as it draws thirty patients of the usual size.
    work = len(planned) * tree.config.height_px * tree.config.width_px // (30 * 720 * 480)
    workers = workers or max(1, min(len(os.sched_getaffinity(0)), len(planned), work))
    with open_pool(workers, uses_cv2=True) as pool:
        yield from pool.map(write, planned, at_once=max(1, min(8, len(planned) // (4 * workers))))
