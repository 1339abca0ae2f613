"""The words of the house, one meaning each (docs/ARCHITECTURE.md, "Words").

Every member's name equals its value: OmegaConf matches enumerations by name, the CSVs and our tables by value.
"""

from enum import StrEnum

RESEARCH_USE_ONLY = "Research use only. Not a medical device; never a diagnosis."

# The file at the root of every phantom tree, and what its JSON calls itself: whoever reads the tree must know.
PHANTOM_MARKER, PHANTOM_FORMAT = "PHANTOM.json", "mammoscope-phantom"


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
    roi = "roi"  # patches around ROIs
    full = "full"


class TargetPolicy(StrEnum):
    malignancy = "malignancy"  # BENIGN_WITHOUT_CALLBACK counts as benign
    malignancy_without_bwc = "malignancy_without_bwc"  # ... and here those rows are left out


class SplitScheme(StrEnum):
    official_strict = "official_strict"
    official = "official"


class SourceName(StrEnum):
    phantom = "phantom"
    cbis_ddsm = "cbis_ddsm"


class Precision(StrEnum):
    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Trainable(StrEnum):
    all = "all"
    head = "head"


class LossName(StrEnum):
    bce = "bce"
    cross_entropy = "cross_entropy"


class ScheduleName(StrEnum):
    cosine = "cosine"
    constant = "constant"


class Register(StrEnum):
    auto = "auto"  # single runs register, the jobs of a multirun do not
    always = "always"
    never = "never"
