"""Which patient of a user's table stands in which partition: as its column says, or carved by patient."""

from collections.abc import Sequence
from types import MappingProxyType

from mammoscope.catalog.selection import select_rows
from mammoscope.catalog.splits import Assignment, carve, check_named, strata
from mammoscope.config import SplitConfig
from mammoscope.records import Catalog
from mammoscope.vocabulary import AbnormalityKind, Partition, SplitScheme, TargetPolicy, View

TEST_FRACTION = 0.2  # of a table's patients, where it has no column `partition`; about what CBIS-DDSM's authors took


def assign_table(
    catalog: Catalog,
    kinds: Sequence[AbnormalityKind],
    views: Sequence[View],
    split: SplitConfig,
    policy: TargetPolicy,
) -> Assignment:
    """Validation is carved out of train, by patient and split.seed, unless the table names patients of it.

    split.name=carved: so is test, before that. Decided over all rows of the kinds: view=cc and view=both share it.

    Raises:
        MammoscopeError: for a kind or view that the table does not have.
    """
    check_named(catalog, kinds, views)
    of_kinds = [a for a in catalog.abnormalities if a.kind in kinds]
    partitions = {a.patient: a.published for a in of_kinds}
    if split.name is SplitScheme.carved:
        partitions |= dict.fromkeys(carve(strata(of_kinds), TEST_FRACTION, split.seed), Partition.test)
    if Partition.validation not in partitions.values():
        left = [a for a in of_kinds if partitions[a.patient] is Partition.train]
        partitions |= dict.fromkeys(carve(strata(left), split.validation_fraction, split.seed), Partition.validation)
    seen = {a.patient for a in select_rows(catalog, kinds, views, policy)}
    return Assignment(
        scheme=split.name,
        seed=split.seed,
        validation_fraction=split.validation_fraction,
        fold=None,
        partitions=MappingProxyType({patient: partitions[patient] for patient in sorted(seen)}),
        dropped=(),
    )
