"""What a radiologist wrote: the columns of the case description files, from the latents and from nothing else."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mammoscope.phantom.ideal import along_direction
from mammoscope.vocabulary import AbnormalityKind, Pathology

# Noise of the reader's impression, in within-class standard deviations of what the ideal observer sees. With d' = 1.8
# the assessment then scores about as in CBIS-DDSM: 0.83 for masses, 0.75 for calcifications.
READER_NOISE = {AbnormalityKind.mass: 0.3, AbnormalityKind.calc: 1.15}
# Share of assessments up to 2, 3 and 4 in the official files.
ASSESSED = {AbnormalityKind.mass: (0.06, 0.31, 0.77), AbnormalityKind.calc: (0.31, 0.37, 0.89)}
# Share of the benign that were not called back, in the official files.
NOT_CALLED_BACK = {AbnormalityKind.mass: 0.15, AbnormalityKind.calc: 0.45}
DESCRIPTOR_NOISE = 0.6


@dataclass(frozen=True, slots=True)
class Finding:
    """What a row says of an abnormality; both views say the same."""

    pathology: Pathology
    assessment: int
    subtlety: int
    descriptor_1: str  # mass shape, or calc type
    descriptor_2: str  # mass margins, or calc distribution


def read_impression(rng: np.random.Generator, kind: AbnormalityKind, latents: np.ndarray) -> float:
    """The reader's suspicion: unit variance given the class but for the reader's own noise."""
    return float(along_direction(latents) + rng.normal(0, READER_NOISE[kind]))


def assess(
    rng: np.random.Generator, kind: AbnormalityKind, impression: float, d_prime: float, incomplete: float
) -> int:
    """BI-RADS 0, 2, 3, 4 or 5. incomplete: the share of 0, which is drawn from nothing."""
    spread = np.sqrt(1 + READER_NOISE[kind] ** 2 + d_prime**2 / 4)
    cuts = [NormalDist(0, spread).inv_cdf(share) for share in ASSESSED[kind]]
    return 0 if rng.random() < incomplete else 2 + sum(impression > cut for cut in cuts)


def judge(kind: AbnormalityKind, malignant: bool, impression: float, d_prime: float) -> Pathology:
    """The truth. Which of the benign were not called back follows from the impression alone."""
    if malignant:
        return Pathology.MALIGNANT
    benign = NormalDist(-d_prime / 2, float(np.sqrt(1 + READER_NOISE[kind] ** 2)))
    harmless = impression < benign.inv_cdf(NOT_CALLED_BACK[kind])
    return Pathology.BENIGN_WITHOUT_CALLBACK if harmless else Pathology.BENIGN


def rate_subtlety(rng: np.random.Generator, visibility: float) -> int:
    """1 (subtle) to 5 (obvious); visibility: where the contrast lies in its range, 0 to 1."""
    return int(np.clip(np.floor(1.5 + 4 * visibility + rng.normal(0, 0.7)), 1, 5))


def describe_mass(rng: np.random.Generator, body: str, latents: np.ndarray) -> tuple[str, str]:
    """(shape, margins); body: the shape that was drawn under the spicules."""
    spiculated, blurred = latents + rng.normal(0, DESCRIPTOR_NOISE, 2)
    hidden, small_lobes, unsaid = rng.random(3)
    shape = "IRREGULAR" if spiculated > 0.6 else body
    if unsaid < 0.03:
        return shape, "N/A"
    if spiculated > 0.6:
        return shape, "ILL_DEFINED-SPICULATED" if blurred > 1.2 else "SPICULATED"
    if blurred > 0.2:
        return shape, "ILL_DEFINED"
    if hidden < 0.25:
        return shape, "OBSCURED"
    return shape, "MICROLOBULATED" if small_lobes < 0.15 else "CIRCUMSCRIBED"


def describe_cluster(rng: np.random.Generator, ratio: float, latents: np.ndarray) -> tuple[str, str]:
    """(type, distribution); ratio: shorter over longer axis of the region that was drawn."""
    many, fine = latents + rng.normal(0, DESCRIPTOR_NOISE, 2)
    tie, unsaid = rng.random(2)
    distribution = "N/A" if unsaid < 0.2 else "CLUSTERED" if ratio > 0.68 else "LINEAR" if tie < 0.4 else "SEGMENTAL"
    if fine > 0.9:
        return "FINE_LINEAR_BRANCHING" if tie < 0.3 else "PLEOMORPHIC", distribution
    if many + fine > -0.2:
        return "PUNCTATE-PLEOMORPHIC" if tie < 0.1 else "PLEOMORPHIC", distribution
    if many > 0:
        return "AMORPHOUS" if tie < 0.6 else "PUNCTATE", distribution
    return "COARSE" if tie < 0.3 else "LUCENT_CENTER" if tie < 0.6 else "ROUND_AND_REGULAR", distribution
