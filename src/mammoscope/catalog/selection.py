"""Which rows a variant is about, and what they are worth."""

from collections.abc import Collection

from mammoscope.records import Abnormality, Catalog
from mammoscope.vocabulary import AbnormalityKind, Pathology, TargetPolicy, View


def target_of(abnormality: Abnormality) -> int:
    """1 for MALIGNANT, 0 for both kinds of benign."""
    return int(abnormality.pathology is Pathology.MALIGNANT)


def select_rows(
    catalog: Catalog, kinds: Collection[AbnormalityKind], views: Collection[View], policy: TargetPolicy
) -> tuple[Abnormality, ...]:
    """The rows of these kinds and views that the target policy counts, whether their files are there or not."""
    left_out = {Pathology.BENIGN_WITHOUT_CALLBACK} if policy is TargetPolicy.malignancy_without_bwc else set()
    return tuple(
        a for a in catalog.abnormalities if a.kind in kinds and a.view in views and a.pathology not in left_out
    )
