"""Frozen rows that travel between the floors. Paths are relative to the source's root, with forward slashes."""

from dataclasses import dataclass

import numpy as np

from mammoscope.vocabulary import AbnormalityKind, Laterality, Level, Partition, Pathology, Trap, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Mammogram:
    """One image of one breast in one view. CBIS-DDSM stores 71 films twice, once a kind: those are two mammograms."""

    key: str  # the DICOM PatientID of the full image: Mass-Training_P_00001_LEFT_CC
    kind: AbnormalityKind
    published: Partition  # train or test, as published
    patient: str  # P_00001
    laterality: Laterality
    view: View
    study_uid: str
    series_uid: str
    path: str | None  # None: not in this download, or not usable (the ledger says why)
    sop_uid: str | None
    rows_px: int | None
    columns_px: int | None
    file_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abnormality:
    """One annotated finding on one mammogram: one row of a case description file."""

    kind: AbnormalityKind
    patient: str
    laterality: Laterality
    view: View
    number: int  # "abnormality id": neither contiguous, nor stable across views
    mammogram: str  # Mammogram.key
    published: Partition
    pathology: Pathology
    assessment: int  # BI-RADS 0-5; 0 is "incomplete", not "lowest"
    density: int  # BI-RADS 1-4; 0 stands in two rows and means unknown
    subtlety: int  # 1-5; 0 stands in two rows and means unknown
    descriptor_1: str  # mass shape, or calc type; "N/A" is a category of its own
    descriptor_2: str  # mass margins, or calc distribution
    mask_path: str | None  # None: not in this download, or not usable (the ledger says why)
    mask_sop_uid: str | None
    crop_path: str | None
    crop_rows_px: int | None
    crop_columns_px: int | None

    @property
    def key(self) -> str:
        """Unique over all four files: Mass-Training_P_00001_LEFT_CC_1."""
        return f"{self.mammogram}_{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One line of the ledger: nothing is mended, left out or guessed without one."""

    row: str  # Abnormality.key, Mammogram.key, or a path
    problem: str  # a Trap; or what follows from one: unusable_image, unconfirmed_mask, roi_outside_breast ...
    found: str
    taken_as: str  # what the catalog made of it
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of a source that a trap concerns."""

    trap: Trap
    row: str  # as the comment of the trap says
    found: str
    taken_as: str  # what mammoscope makes of it
    others: tuple[str, ...] = ()  # rows that it is about as well: the other films of a duplicate
    reviewed: bool = False  # near_duplicate: a person has found it to be two films


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Who and what is in a source. Every CSV row is here, whether its files are or not."""

    mammograms: tuple[Mammogram, ...]
    abnormalities: tuple[Abnormality, ...]
    defects: tuple[Defect, ...]
    is_phantom: bool
    digest: str  # of all the above: what was catalogued, never where it lay


@dataclass(frozen=True, slots=True)
class StoredImage:
    """Where a prepared image lies."""

    store: str  # PreparedStore.name
    row: int  # of its rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One thing that the model scores: an abnormality on a view, a film, or a breast (view=pair)."""

    id: str  # Abnormality.key or Mammogram.key, or what names a breast
    patient: str
    laterality: Laterality
    views: tuple[View, ...]  # one; of a breast those that are there
    kinds: tuple[AbnormalityKind, ...]  # one, or two where a film carries both and both are selected
    films: tuple[str, ...]  # xxh3-128 of the raw pixels, one a view: two records of one film share it
    published: Partition
    target: int  # the class that the loss sees; 1 is malignant where there are two
    malignant: int  # 0 or 1: what every score is judged by
    abnormalities: tuple[str, ...]  # Abnormality.key of all that decide the target
    density: int
    images: tuple[StoredImage | None, ...]  # what the network sees: one, or CC and MLO, of which one may be missing


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """Two films of different patients that look like one; the second belongs to the second patient."""

    mammograms: tuple[str, str]  # Mammogram.key
    patients: tuple[str, str]
    films: tuple[str, str]  # xxh3-128 of the raw pixels
    correlation: float  # 0.99 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """What a model of more than two classes says of its rows, in the order of the Predictions that hold it."""

    names: tuple[str, ...]  # vocabulary.CLASSES of the target
    targets: np.ndarray  # int8: which of `names` a row is
    probabilities: np.ndarray  # float64 (rows, names); a row adds up to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Scores of one partition, a row a sample; columns are equally long numpy arrays.

    scores are probabilities of malignancy in [0, 1]; targets are 0 or 1.
    """

    partition: Partition
    finest: Level  # abnormality for image=roi and released_crop, image for image=full, breast for view=pair
    ids: np.ndarray
    patients: np.ndarray
    lateralities: np.ndarray
    views: np.ndarray
    kinds: np.ndarray  # "mass", "calc" or "mass+calc"
    films: np.ndarray
    targets: np.ndarray  # int8
    scores: np.ndarray  # float64
    classes: ClassScores | None = None  # of a target with more than two

    def __len__(self) -> int:
        return len(self.ids)
