"""The words of the house, one meaning each (docs/ARCHITECTURE.md, "Words").

Every member's name equals its value: OmegaConf matches enumerations by name, the CSVs and our tables by value.
"""

from enum import StrEnum

RESEARCH_USE_ONLY = "Research use only. Not a medical device; never a diagnosis."

# The file at the root of every phantom tree, and what its JSON calls itself: whoever reads the tree must know.
PHANTOM_MARKER, PHANTOM_FORMAT = "PHANTOM.json", "mammoscope-phantom"


# What a phantom with planted faults says of them, at its root beside the marker.
PHANTOM_FAULTS = "phantom_faults.json"


class Laterality(StrEnum):
    """Side of the body, DICOM (0020,0060)."""

    left = "left"
    right = "right"


class View(StrEnum):
    """Projection, DICOM CID 4014: cranio-caudal or medio-lateral oblique."""

    CC = "CC"
    MLO = "MLO"


class AbnormalityKind(StrEnum):
    mass = "mass"
    calc = "calc"
    unknown = "unknown"  # source=table without a column `kind`: its rows are of this kind, and no other source has it


CBIS_DDSM_KINDS = (AbnormalityKind.mass, AbnormalityKind.calc)


class Pathology(StrEnum):
    """The verdict in the case description files."""

    MALIGNANT = "MALIGNANT"
    BENIGN = "BENIGN"
    BENIGN_WITHOUT_CALLBACK = "BENIGN_WITHOUT_CALLBACK"


class Partition(StrEnum):
    train = "train"
    validation = "validation"
    test = "test"


class Level(StrEnum):
    """What one scored row is. Ordered from fine to coarse."""

    abnormality = "abnormality"
    image = "image"
    breast = "breast"
    patient = "patient"


class ImageVariant(StrEnum):
    roi = "roi"  # patches around ROIs, re-cut from the film
    full = "full"
    released_crop = "released_crop"  # the patches as published: the mask's box and 5 px, grey levels stretched


class TargetPolicy(StrEnum):
    malignancy = "malignancy"  # BENIGN_WITHOUT_CALLBACK counts as benign
    malignancy_without_bwc = "malignancy_without_bwc"  # ... and here those rows are left out
    pathology = "pathology"  # the three verdicts as they stand
    tissue = "tissue"  # normal, benign, malignant: normal patches are cut away from every ROI
    tissue_by_kind = "tissue_by_kind"  # normal, and benign and malignant of either kind: five classes


# What the loss sees, by target policy: Sample.target counts in these, from harmless to grave.
NORMAL = "normal"
CLASSES: dict[TargetPolicy, tuple[str, ...]] = {
    TargetPolicy.malignancy: ("benign", "malignant"),
    TargetPolicy.malignancy_without_bwc: ("benign", "malignant"),
    TargetPolicy.pathology: ("benign_without_callback", "benign", "malignant"),
    TargetPolicy.tissue: (NORMAL, "benign", "malignant"),
    TargetPolicy.tissue_by_kind: (NORMAL, "benign_mass", "malignant_mass", "benign_calc", "malignant_calc"),
}
# The probability of malignancy, by which all targets compare, is the sum over these.
MALIGNANT_CLASSES = frozenset({"malignant", "malignant_mass", "malignant_calc"})

CV_FOLDS = 5  # of SplitScheme.cv5


class SplitScheme(StrEnum):
    official_strict = "official_strict"
    official = "official"
    cv5 = "cv5"  # five folds, by patient, of what official_strict trains on
    # what a table's split is called in place of the above; nobody chooses them
    table = "table"  # as its column `partition` says
    carved = "carved"  # it has no such column: carved by patient, from split.seed


class SourceName(StrEnum):
    phantom = "phantom"
    cbis_ddsm = "cbis_ddsm"
    table = "table"  # a user's own images, listed in a CSV


class Fusion(StrEnum):
    """How `view=pair` makes one of the features of a breast's two views."""

    concatenation = "concatenation"
    mean = "mean"
    attention = "attention"


class KeptEpoch(StrEnum):
    """Whose weights a run ends with."""

    best = "best"  # by validation, which flatters what is then measured there
    last = "last"


class Sampling(StrEnum):
    """How often an epoch shows a training sample."""

    uniform = "uniform"  # each once
    by_target = "by_target"  # each class as often as every other
    by_patient = "by_patient"  # each patient as often as every other


class Precision(StrEnum):
    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Trainable(StrEnum):
    all = "all"
    head = "head"


class BatchNorm(StrEnum):
    """Whose statistics batch norm goes by in training."""

    train = "train"  # each batch's own
    frozen = "frozen"  # those that came with the pretrained weights


class Debug(StrEnum):
    """What a command does in place of a run."""

    one_batch = "one_batch"
    lr_range = "lr_range"


class SamplerName(StrEnum):
    """How a search draws the next trial."""

    tpe = "tpe"  # tree-structured Parzen estimator (Bergstra 2011), all parameters together
    gp = "gp"  # Gaussian process
    cmaes = "cmaes"  # covariance matrix adaptation: numbers only
    qmc = "qmc"  # scrambled Sobol points: the space evenly, whatever comes out
    random = "random"
    grid = "grid"  # every point of a finite space, in shuffled order
    nsga2 = "nsga2"  # several objectives (Deb 2002)


class PrunerName(StrEnum):
    """Which trials a search stops before their end."""

    none = "none"
    median = "median"  # those behind the median of the others at the same epoch
    successive_halving = "successive_halving"
    hyperband = "hyperband"
    patient = "patient"  # as median, once a trial has not improved for a quarter of its length
    wilcoxon = "wilcoxon"  # those that a signed-rank test over folds or seeds tells from the best


class Direction(StrEnum):
    maximize = "maximize"
    minimize = "minimize"


class HeadStart(StrEnum):
    """What the last layer is when training begins."""

    undecided = "undecided"  # near zero: every class is as likely
    probe = "probe"  # fitted on the frozen features


class LossName(StrEnum):
    bce = "bce"
    cross_entropy = "cross_entropy"
    focal = "focal"


class ScheduleName(StrEnum):
    cosine = "cosine"
    constant = "constant"


class Register(StrEnum):
    auto = "auto"  # single runs register, the jobs of a multirun do not
    always = "always"
    never = "never"


class ImageType(StrEnum):
    """What a file of CBIS-DDSM shows."""

    full = "full"  # the film
    mask = "mask"
    crop = "crop"


class Trap(StrEnum):
    """What spoils numbers made from CBIS-DDSM, and what the doctor calls it. The row that each is reported by follows.

    Mammogram and abnormality stand for the keys of those records; path is relative to the source's root. A trap is
    reported once a row, and its consequences are not reported again:

    - A file that is truncated, of an unknown syntax or unreadable is told by its path. The row that misses it is no
      missing_series: something lies where it should; nor is its mask of another size than a film that nobody knows.
    - A mask of another size is told as that alone; its levels, and the crop's size beside it, are not looked at.
    - An empty mask, or one with grey levels, has no box that a crop could contradict.
    - Films that are equal pixel for pixel are not told as near-duplicates of each other as well.
    - Of two copies of one instance the second, by path, is told; it is looked at no further.
    - A file of a series that nobody names is told as that; so is one that cannot be read, as what it is.
    """

    # who is counted where
    leak = "leak"  # patient: in train of one kind and in test of the other
    duplicate_film = "duplicate_film"  # mammogram: pixel for pixel a film of another patient
    near_duplicate = "near_duplicate"  # mammogram: correlation 0.99 or more with a film of another patient
    stored_twice = "stored_twice"  # mammogram: another of the same patient, side and view, or with the same pixels
    mixed_pathology = "mixed_pathology"  # mammogram: malignant and benign abnormalities of its kind on one film
    unstable_id = "unstable_id"  # abnormality: its number means another malignancy in the other view (both told)
    unknown_grade = "unknown_grade"  # abnormality: density 0 or subtlety 0, which mean unknown
    incomplete_assessment = "incomplete_assessment"  # abnormality: assessment 0, which is "incomplete", not "lowest"
    # what lies where
    swapped_mask = "swapped_mask"  # abnormality: mask and crop lie under each other's name or series
    separate_series = "separate_series"  # abnormality: mask and crop have a series each
    missing_series = "missing_series"  # mammogram or abnormality: what a row names is not in the tree
    unnamed_series = "unnamed_series"  # path: a file whose series no case description names
    repeated_file = "repeated_file"  # path: the same instance twice
    ambiguous = "ambiguous"  # mammogram or abnormality: more than one file could be its film, mask or crop
    # what a file holds
    truncated = "truncated"  # path: ends before what it promises
    syntax = "syntax"  # path: a transfer syntax that cannot be decoded, or a damaged stream
    unreadable = "unreadable"  # path: any other reason for which a file is refused
    monochrome1 = "monochrome1"  # path: brighter is less dense; read the right way round
    laterality = "laterality"  # mammogram or abnormality: the header contradicts the case description
    view = "view"  # likewise
    patient_id = "patient_id"  # likewise
    mirrored = "mirrored"  # mammogram: the chest wall lies on the other side than Laterality suggests
    mask_size = "mask_size"  # abnormality: no mask has the film's rows and columns
    mask_values = "mask_values"  # abnormality: the mask is empty, or has more than two grey levels
    crop_size = "crop_size"  # abnormality: the released crop is not the mask's box and 5 px
