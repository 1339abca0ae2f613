"""Faults of the case descriptions, and the names by which rows are told. A planter returns the rows concerned."""

from dataclasses import replace

from mammoscope.phantom.faults.bed import Bed
from mammoscope.vocabulary import Pathology


def patients(bed: Bed) -> list[str]:
    """Nothing more is planted: these patients were drawn with the fault."""
    return [case.patient for case in bed.cases]


def mammograms(bed: Bed) -> list[str]:
    """As `patients`."""
    return [case.mammogram for case in bed.cases]


def abnormalities(bed: Bed) -> list[str]:
    """As `patients`."""
    return [case.key for case in bed.cases]


def unstable_id(bed: Bed) -> list[str]:
    """The verdict turns in one of the two views."""
    case = bed.cases[-1]
    other = Pathology.BENIGN if case.finding.pathology is Pathology.MALIGNANT else Pathology.MALIGNANT
    bed.change(case, finding=replace(case.finding, pathology=other))
    return abnormalities(bed)


def unknown_grade(bed: Bed) -> list[str]:
    first, second = bed.cases
    bed.change(first, density=0)
    bed.change(second, finding=replace(second.finding, subtlety=0))
    return abnormalities(bed)
