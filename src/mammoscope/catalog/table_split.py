"""Which patient of a user's table stands in which partition: as its column says, or carved by patient."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mammoscope.catalog.pseudonyms import Pseudonyms
from mammoscope.catalog.selection import select_rows
from mammoscope.catalog.splits import Assignment, carve, check_named, strata
from mammoscope.catalog.table import ImageTable
from mammoscope.config import SplitConfig
from mammoscope.records import Abnormality, Catalog
from mammoscope.vocabulary import AbnormalityKind, Partition, SplitScheme, TargetPolicy, View

TEST_FRACTION = 0.2  # of a table's patients, where it has no column `partition`; about what CBIS-DDSM's authors took


def draw_names(table: ImageTable, names: Pseudonyms) -> dict[str, str]:
    """By pseudonym, what the patient is drawn by: a digest of the name as written, the same under every key.

    For memory alone. The digest is of all the table's names as well: else a run's partitions, under one seed after
    another, would confirm a guess at a name. So a table with a patient more or less is carved anew.
    """
    written = {names.patient(row.patient): row.patient for row in table.rows}
    everyone = sorted(written.values())  # whatever the order of the rows
    salt = hashlib.sha256(json.dumps(everyone).encode()).hexdigest()
    return {patient: hashlib.sha256(f"{salt}/{name}".encode()).hexdigest() for patient, name in written.items()}


def assign_table(
    catalog: Catalog,
    drawn_by: Mapping[str, str],
    kinds: Sequence[AbnormalityKind],
    views: Sequence[View],
    split: SplitConfig,
    policy: TargetPolicy,
) -> Assignment:
    """Validation is carved out of train, by patient and split.seed, unless the table names patients of it.

    split.name=carved: so is test, before that. Decided over all rows of the kinds: view=cc and view=both share it.

    drawn_by: draw_names of the table. Pseudonyms would carve it otherwise on every machine.

    Raises:
        MammoscopeError: for a kind or view that the table does not have.
    """
    check_named(catalog, kinds, views)
    of_kinds = [a for a in catalog.abnormalities if a.kind in kinds]
    partitions = {a.patient: a.published for a in of_kinds}
    if split.name is SplitScheme.carved:
        partitions |= dict.fromkeys(_carve(of_kinds, drawn_by, TEST_FRACTION, split.seed), Partition.test)
    if Partition.validation not in partitions.values():
        left = [a for a in of_kinds if partitions[a.patient] is Partition.train]
        validation = _carve(left, drawn_by, split.validation_fraction, split.seed)
        partitions |= dict.fromkeys(validation, Partition.validation)
    seen = {a.patient for a in select_rows(catalog, kinds, views, policy)}
    return Assignment(
        scheme=split.name,
        seed=split.seed,
        validation_fraction=split.validation_fraction,
        fold=None,
        partitions=MappingProxyType({patient: partitions[patient] for patient in sorted(seen)}),
        dropped=(),
    )


def _carve(rows: Sequence[Abnormality], drawn_by: Mapping[str, str], fraction: float, seed: int) -> list[str]:
    stratum_of = strata(rows)
    taken = carve({drawn_by[patient]: stratum for patient, stratum in stratum_of.items()}, fraction, seed)
    return [patient for patient in stratum_of if drawn_by[patient] in taken]
