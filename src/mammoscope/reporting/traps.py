"""What each trap means to a person, and what mammoscope does about it. docs/data.md says the same at more length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mammoscope.vocabulary import Trap


@dataclass(frozen=True, slots=True)
class Explanation:
    title: str
    means: str
    remedy: str  # what mammoscope does, and what a user can


EXPLANATIONS: Final[Mapping[Trap, Explanation]] = {
    Trap.leak: Explanation(
        "Patients in train and in test",
        "The mass and the calc set were split apart from each other. Whoever merges them trains on patients, and on "
        "films, that are also tested on: in the official files 31 of 349 test patients, with 29 films in both.",
        "split=official_strict, the default, leaves these patients' training rows out; split=official refuses both "
        "kinds together.",
    ),
    Trap.duplicate_film: Explanation(
        "One film under two patients",
        "The raw pixels are equal, so one of the two is not whose it says it is. Across train and test it is a leak.",
        "Across train and test this blocks; a run also refuses it between train and validation. Leave one of the two "
        "out of the source.",
    ),
    Trap.near_duplicate: Explanation(
        "Films of two patients that look the same",
        "Thumbnails of the breast correlate at 0.99 or more: the same film scanned twice, copied with other grey "
        "levels, or, rarely, two breasts that are alike.",
        "Look at each pair. Across train and test it blocks until it is listed in the file of reviewed pairs "
        "(split.allow, here --allow).",
    ),
    Trap.stored_twice: Explanation(
        "One view stored as Mass- and as Calc-",
        "A film with masses and calcifications is published twice, under different UIDs: 71 views of CBIS-DDSM. "
        "Counted as two it weighs double, and may carry two verdicts.",
        "Raw pixels are hashed: the same film is one sample of image=full, malignant if either record is.",
    ),
    Trap.mixed_pathology: Explanation(
        "Malignant and benign on one film",
        "A film has several abnormalities with different verdicts. Taking the first row's verdict mislabels 11 images "
        "of CBIS-DDSM, 25 once the kinds are merged.",
        "An image is malignant if any of its abnormalities is.",
    ),
    Trap.unstable_id: Explanation(
        "A number that means two things",
        "The same abnormality id stands for a malignant finding in one view and a benign one in the other, so ids do "
        "not tell which findings belong together.",
        "Ids are never used to join views; the key holds the view.",
    ),
    Trap.unknown_grade: Explanation(
        "Density 0 or subtlety 0",
        "Neither scale has a 0: it means that nobody knows.",
        "Kept as it stands, a group of its own; never take it for the lowest grade.",
    ),
    Trap.incomplete_assessment: Explanation(
        "BI-RADS assessment 0",
        "0 is 'incomplete, needs more imaging', not the lowest suspicion.",
        "Kept as it stands; where assessments are ranked, it stands between 3 and 4.",
    ),
    Trap.swapped_mask: Explanation(
        "Mask and crop in each other's place",
        "The file in the mask's place is the crop, and the reverse. Read by name, a picture becomes the ROI.",
        "Bits and size tell which is which: the mask has 8 bits and the film's rows and columns.",
    ),
    Trap.separate_series: Explanation(
        "Mask and crop in a series each",
        "Most rows keep both in one series; 104 rows of CBIS-DDSM have two, which readers by folder miss.",
        "Both series are read.",
    ),
    Trap.missing_series: Explanation(
        "Files that are not there",
        "A film, a mask or a crop that a row names is not in the tree. Real downloads are partial: two series of "
        "P_01276 are missing even from TCIA's own listing.",
        "The row stays in every count; samples that need the file are left out. Download it again to have it.",
    ),
    Trap.unnamed_series: Explanation(
        "Files that nobody names",
        "No case description names their series, so nothing is known of them. Perhaps a case description file is "
        "missing.",
        "Left out.",
    ),
    Trap.repeated_file: Explanation(
        "The same instance twice",
        "Two files hold one instance of one series, as after an interrupted copy.",
        "The first by path is used.",
    ),
    Trap.ambiguous: Explanation(
        "More than one candidate",
        "A series has several files that could be the film, the mask or the crop.",
        "One is taken by a fixed rule, which is told with each row. Remove those that do not belong there.",
    ),
    Trap.truncated: Explanation(
        "Truncated files",
        "The file ends before what its header promises. Most readers return half a picture and say nothing.",
        "Left out. Download it again.",
    ),
    Trap.syntax: Explanation(
        "Pixels that cannot be decoded",
        "A transfer syntax without a decoder, or a damaged compressed stream.",
        "Left out. Download it again, or store it uncompressed.",
    ),
    Trap.unreadable: Explanation(
        "Not usable as mammography DICOM",
        "An error page saved as .dcm, an empty file, another modality, colour, a film on which nothing stands out.",
        "Left out. Download it again.",
    ),
    Trap.monochrome1: Explanation(
        "MONOCHROME1",
        "Brighter means less dense: without inversion the model sees a negative.",
        "Inverted once, after window and LUT.",
    ),
    Trap.laterality: Explanation(
        "Header names the other side",
        "Header and case description differ: one is wrong about left and right.",
        "The case description counts. Orientation comes from the pixels in any case.",
    ),
    Trap.view: Explanation(
        "Header names the other view",
        "In CBIS-DDSM the view stands in PatientOrientation. Header or case description is wrong about CC and MLO.",
        "The case description counts.",
    ),
    Trap.patient_id: Explanation(
        "Header names another picture",
        "DICOM PatientID names a picture in CBIS-DDSM, and this is another picture's.",
        "Files are joined on UIDs; the case description counts.",
    ),
    Trap.mirrored: Explanation(
        "Chest wall on the unexpected side",
        "A left breast usually lies against the left edge. This film was laid on the scanner the other way round, or "
        "the copy was mirrored, or its laterality is wrong.",
        "Every film is turned to one side by its pixels.",
    ),
    Trap.mask_size: Explanation(
        "Mask of another size than its film",
        "Laid over the film, it marks another place.",
        "No mask: the abnormality has no ROI and is left out of image=roi.",
    ),
    Trap.mask_values: Explanation(
        "Mask that is empty, or grey",
        "A mask has two grey levels. An empty one marks nothing; grey ones come from a resize or from lossy JPEG.",
        "No mask: the abnormality has no ROI and is left out of image=roi.",
    ),
    Trap.crop_size: Explanation(
        "Crop that is not the mask's box",
        "The released crop is the mask's box and 5 px. Where it is not, mask and crop may be of two abnormalities.",
        "The mask counts: patches are re-cut from the film.",
    ),
}
