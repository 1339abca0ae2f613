"""What the archive does now and then, as shares of its cases. A phantom of single faults does none of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from mammoscope.vocabulary import AbnormalityKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    mirrored: float  # films that were laid on the scanner the other way round
    separate_series: float  # mass rows whose crop and mask have a series each
    incomplete: Mapping[AbnormalityKind, float]  # assessments 0, "incomplete", which are drawn from nothing


CBIS_DDSM = Habits(
    mirrored=0.05, separate_series=0.06, incomplete={AbnormalityKind.mass: 0.10, AbnormalityKind.calc: 0.04}
)
FAULTLESS = Habits(mirrored=0, separate_series=0, incomplete=dict.fromkeys(AbnormalityKind, 0.0))
