"""Which rows a variant is about, and what they are worth."""

from collections.abc import Collection

from mammoscope.records import Abnormality, Catalog
from mammoscope.vocabulary import CLASSES, AbnormalityKind, Pathology, TargetPolicy, View


def target_of(abnormality: Abnormality) -> int:
    """1 for MALIGNANT, 0 for both kinds of benign."""
    return int(abnormality.pathology is Pathology.MALIGNANT)


def class_name(abnormality: Abnormality, policy: TargetPolicy) -> str:
    """Which of vocabulary.CLASSES[policy] the abnormality is."""
    if policy is TargetPolicy.pathology:
        return abnormality.pathology.lower()
    verdict = "malignant" if target_of(abnormality) else "benign"
    return f"{verdict}_{abnormality.kind}" if policy is TargetPolicy.tissue_by_kind else verdict


def worst_class(abnormalities: Collection[Abnormality], policy: TargetPolicy) -> int:
    """The class of what holds them all (a film): that of its worst abnormality, an index into CLASSES[policy]."""
    worst = max(abnormalities, key=lambda a: (target_of(a), CLASSES[policy].index(class_name(a, policy))))
    return CLASSES[policy].index(class_name(worst, policy))


def select_rows(
    catalog: Catalog, kinds: Collection[AbnormalityKind], views: Collection[View], policy: TargetPolicy
) -> tuple[Abnormality, ...]:
    """The rows of these kinds and views that the target policy counts, whether their files are there or not."""
    left_out = {Pathology.BENIGN_WITHOUT_CALLBACK} if policy is TargetPolicy.malignancy_without_bwc else set()
    return tuple(
        a for a in catalog.abnormalities if a.kind in kinds and a.view in views and a.pathology not in left_out
    )
