"""Why something in a file identifies a person, or may."""

from enum import StrEnum
from typing import Final


class Why(StrEnum):
    """Why something identifies, or may: the column `why` of the audit's table."""

    listed = "listed"
    own = "own-identifier"
    age = "age-over-89"
    person = "person-name"
    private = "private"
    unknown = "not-known"
    invalid = "not-its-vr"
    unread = "too-long-to-read"
    code = "code-text"
    uid = "uid"
    graphics = "overlay-or-curve"
    behind = "behind-pixels"
    preamble = "preamble"
    meta = "file-meta"
    file_name = "file-name"
    folder_name = "folder-name"
    burned_in = "burned-in"
    burned_in_unsaid = "burned-in-unsaid"
    secondary_capture = "secondary-capture"
    pixel_text = "text-in-pixels"
    unread_file = "not-read"


WHYS: Final = {
    Why.listed: "the Basic Profile of PS3.15 Annex E lists the element",
    Why.own: "holds the file's own patient name, id, accession number or birth date, where nothing of it belongs",
    Why.age: "an age of more than 89 years",
    Why.person: "a person's name that the profile does not list",
    Why.private: "a private element that is not known to be safe",
    Why.unknown: "neither listed by the profile nor known to be safe",
    Why.invalid: "known to be safe, but for the value: its value representation forbids it",
    Why.unread: "longer than 16 MiB, so that it was not read",
    Why.code: "a code that the standard does not know, or a text in place of a code's own",
    Why.uid: "a UID that is not the standard's own",
    Why.graphics: "an overlay or a curve: drawn or written over the picture",
    Why.behind: "an element behind the pixels",
    Why.preamble: "the 128 bytes before the prefix are not zero",
    Why.meta: "an element of the file meta group that nobody needs to read the file",
    Why.file_name: "a file name that is not known to be safe",
    Why.folder_name: "a folder name that is not known to be safe",
    Why.burned_in: "BurnedInAnnotation is YES: there is text in the picture",
    Why.burned_in_unsaid: "BurnedInAnnotation is absent where the file's IOD demands it, or the picture was digitised",
    Why.secondary_capture: "a Secondary Capture: nobody knows what is in the picture",
    Why.pixel_text: "the pixel data holds a comment, or more bytes than the picture has",
    Why.unread_file: "no DICOM file, or one that cannot be read to its end: nobody knows what it holds",
}
