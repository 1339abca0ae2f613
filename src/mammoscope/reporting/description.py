"""What a run says of itself in the MLflow UI: Markdown for a person, complete enough to be quoted alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mammoscope.metrics.classes import ClassEvidence
from mammoscope.metrics.evidence import Evidence
from mammoscope.reporting.tables import results_markdown
from mammoscope.vocabulary import (
    CLASSES,
    RESEARCH_USE_ONLY,
    AbnormalityKind,
    Fusion,
    ImageVariant,
    Partition,
    SourceName,
    SplitScheme,
    TargetPolicy,
    Trainable,
    View,
)

DIGEST_LETTERS = 12
LETTERS_MAX = 8000  # of an MLflow tag, which is cut beyond that without a word
OTHERS_ROOM = 40  # for the line that counts the warnings left out
SUBJECTS = {
    ImageVariant.roi: "patches around the ROIs",
    ImageVariant.full: "full mammograms",
    ImageVariant.released_crop: "the patches as released (grey levels stretched one by one)",
}
PLURALS = {AbnormalityKind.mass: "masses", AbnormalityKind.calc: "calcifications", AbnormalityKind.unknown: "findings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFacts:
    partition: Partition
    patients: int
    samples: int
    by_class: Mapping[str, int]  # samples, by vocabulary.CLASSES of the target


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is told of a run besides its results; strings are shown as they are and hold no path of this machine."""

    backbone: str
    trainable: Trainable
    kinds: tuple[AbnormalityKind, ...]
    image: ImageVariant
    height_px: int
    width_px: int
    views: tuple[View, ...]
    fusion: Fusion | None  # of the views of a breast into one sample
    target: TargetPolicy
    epochs: int  # that were trained, early stopping included
    best_epoch: int  # counted from 1: the one that was kept
    source: SourceName
    is_phantom: bool
    split: SplitScheme
    certificate: str  # SHA-256 of the manifest, whole
    partitions: tuple[PartitionFacts, ...]
    weights: str  # where the first weights came from
    precision: str
    hardware: str
    duration_s: float
    commit: str  # with "+ changes" where the tree was dirty
    warnings: tuple[str, ...]


def run_description(
    facts: RunFacts, evidence: Evidence, classes: ClassEvidence | None = None, *, references: Mapping[str, float]
) -> str:
    """As many of the warnings as there is room for, and the count of the others."""
    results = results_markdown(evidence, classes, title=f"Results on {evidence.partition}", references=references)
    text = "\n\n".join([_opening(facts), results, _data(facts), _making(facts)])
    return text + _warnings(facts.warnings, LETTERS_MAX - len(text))


def with_section(description: str, title: str, section: str) -> str:
    """The description with a section `### title`: in place of one of that title, else at the end, where there is room.

    section: Markdown that begins with its heading.
    """
    parts = re.split(r"\n\n(?=### )", description) if description else []
    kept = [part for part in parts if not part.startswith(f"### {title}\n")]
    text = "\n\n".join([*kept, section])
    return text if len(text) <= LETTERS_MAX else description


def _opening(facts: RunFacts) -> str:
    subject, fused = SUBJECTS[facts.image], "" if facts.fusion is None else f" of a breast fused by {facts.fusion}"
    what = "a new head on frozen features" if facts.trainable is Trainable.head else "all weights"
    kinds = " and ".join(PLURALS[kind] for kind in facts.kinds)
    phantom = " **Phantom data: drawn from nothing, no patient is behind these numbers.**" if facts.is_phantom else ""
    return (
        f"**{RESEARCH_USE_ONLY}**{phantom}\n\n"
        f"`{facts.backbone}` ({what}), trained for {facts.epochs} epochs to tell {_told_apart(facts)} {kinds} in "
        f"{subject} of {facts.height_px} x {facts.width_px} px, {' and '.join(facts.views)} views{fused}, target "
        f"`{facts.target}`. The weights of epoch {facts.best_epoch} were kept."
    )


def _told_apart(facts: RunFacts) -> str:
    names = [name.replace("_", " ") for name in CLASSES[facts.target]]
    if len(names) == 2:
        return "malignant from benign"
    return f"{', '.join(names[:-1])} and {names[-1]} apart, of"


def _data(facts: RunFacts) -> str:
    counted = [name for name in CLASSES[facts.target] if len(CLASSES[facts.target]) > 2 or name == "malignant"]
    rows = []
    for part in facts.partitions:
        counts = (part.patients, part.samples, *(part.by_class[name] for name in counted))
        rows.append(f"| {part.partition} | {' | '.join(map(str, counts))} |")
    return "\n".join(
        [
            "### Data",
            "",
            f"Source `{facts.source}`, split `{facts.split}`, certificate `{facts.certificate[:DIGEST_LETTERS]}`: "
            "no patient and no film is in two partitions.",
            "",
            f"| partition | patients | samples | {' | '.join(counted)} |",
            f"| --- | ---: | ---: |{' ---: |' * len(counted)}",
            *rows,
        ]
    )


def _making(facts: RunFacts) -> str:
    minutes, seconds = divmod(round(facts.duration_s), 60)
    return "\n".join(
        [
            "### Making",
            "",
            f"- First weights: {facts.weights}",
            f"- Hardware: {facts.hardware}, {facts.precision}, {minutes} min {seconds} s",
            f"- Code: {facts.commit}",
        ]
    )


def _warnings(warnings: tuple[str, ...], room: int) -> str:
    if not warnings:
        return ""
    text, room = "\n\n### Warnings\n", room - OTHERS_ROOM
    for told, warning in enumerate(warnings):
        if len(text) + len(warning) > room:
            return f"{text}\n- and {len(warnings) - told} more"
        text += f"\n- {warning}"
    return text
