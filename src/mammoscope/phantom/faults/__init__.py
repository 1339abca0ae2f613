"""The traps of CBIS-DDSM, planted one by one: a tree that has these and no other, and says which rows they concern.

To add a fault: a planter in the file of its subject, and a line in FAULTS.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom.faults import files, plan, rois, rows, series
from mammoscope.phantom.faults.bed import Bed
from mammoscope.phantom.faults.plan import Carriers, FaultyPlan, plan_carriers
from mammoscope.phantom.patient import PatientRows, Tree
from mammoscope.phantom.plan import plan_patients
from mammoscope.vocabulary import PHANTOM_FAULTS, Trap

FAULTS_FORMAT = "mammoscope-phantom-faults"
ALL = "all"


@dataclass(frozen=True, slots=True)
class Fault:
    says: str
    plant: Callable[[Bed], list[str]]  # returns the rows concerned, named as the comments of Trap say
    carriers: Carriers = plan.one


FAULTS = {
    Trap.leak: Fault("patients in train of one kind and in test of the other", rows.patients, plan.two_who_cross),
    Trap.duplicate_film: Fault("the same film under two patients", rows.mammograms, plan.two_alike),
    Trap.near_duplicate: Fault("a film scanned twice, under two patients", files.near_duplicate, plan.two_alike),
    Trap.stored_twice: Fault("one film as Mass- and as Calc-", rows.mammograms, plan.one_of_both_kinds),
    Trap.mixed_pathology: Fault("malignant and benign on one film", rows.mammograms, plan.one_of_both_truths),
    Trap.unstable_id: Fault("a number that means another malignancy in the other view", rows.unstable_id),
    Trap.unknown_grade: Fault("density 0, subtlety 0", rows.unknown_grade),
    Trap.incomplete_assessment: Fault("assessment 0", rows.abnormalities, plan.one_not_assessed),
    Trap.swapped_mask: Fault("mask and crop under each other's name", rois.swapped_mask),
    Trap.separate_series: Fault("mask and crop in a series each", rows.abnormalities, plan.one_in_separate_series),
    Trap.missing_series: Fault("a film, and a mask with its crop, that are not there", series.missing_series),
    Trap.unnamed_series: Fault("a file that no case description names", series.unnamed_series),
    Trap.repeated_file: Fault("the same instance twice", series.repeated_file),
    Trap.ambiguous: Fault("two masks for one abnormality", series.ambiguous),
    Trap.truncated: Fault("files that end in their pixels, and in their header", files.truncated),
    Trap.syntax: Fault("a transfer syntax without a decoder, a damaged stream", files.syntax),
    Trap.unreadable: Fault("an error page, and an empty file, in place of DICOM", files.unreadable),
    Trap.monochrome1: Fault("a film whose bright is dark", files.monochrome1),
    Trap.laterality: Fault("headers with the other side", files.laterality),
    Trap.view: Fault("headers with the other view", files.view),
    Trap.patient_id: Fault("headers with another patient", files.patient_id),
    Trap.mirrored: Fault("films laid on the scanner the other way round", rows.mammograms, plan.one_mirrored),
    Trap.mask_size: Fault("a mask of another size than its film", rois.mask_size),
    Trap.mask_values: Fault("a mask that is empty, a mask with grey levels", rois.mask_values),
    Trap.crop_size: Fault("a crop that is not the mask's box and 5 px", rois.crop_size),
}


def parse_faults(text: str) -> tuple[Trap, ...]:
    """NAME[,NAME...] or all. Raises MammoscopeError that names what is allowed."""
    if text == ALL:
        return tuple(FAULTS)
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in list(Trap)]
    if unknown:
        raise MammoscopeError(f"--faults {text}: {unknown[0]!r} is no fault; allowed: {ALL}, {', '.join(FAULTS)}")
    return tuple(map(Trap, names))


def plan_with_faults(config: PhantomConfig, faults: Collection[Trap]) -> FaultyPlan:
    """Without faults: the phantom as it is. Raises MammoscopeError where phantom.patients has no room for them."""
    if not faults:
        return FaultyPlan(plan_patients(config), {}, repr(config))
    return plan_carriers(config, {trap: fault.carriers for trap, fault in FAULTS.items() if trap in faults})


def plant_faults(tree: Tree, plan: FaultyPlan, patients: Sequence[PatientRows]) -> list[PatientRows]:
    """Into a tree whose patients are all drawn; returns their rows, changed, and lists in the tree what was planted."""
    changed, planted = list(patients), dict[Trap, list[str]]()
    for trap, carriers in plan.carriers.items():
        bed = Bed(tree.root, changed[carriers], np.random.default_rng([tree.config.seed, 3, carriers.start]))
        planted[trap] = sorted(set(FAULTS[trap].plant(bed)))
        changed[carriers] = bed.patients
    if planted:
        text = json.dumps({"format": FAULTS_FORMAT, "faults": planted}, indent=2)
        (tree.root / PHANTOM_FAULTS).write_text(text + "\n", encoding="ascii")
    return changed
