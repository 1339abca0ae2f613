"""One file -> the same picture with nobody's name on it: PS3.15 Annex E, and nothing that is not known to be safe.

The pixel data is carried over byte for byte: a text in the picture stays in it, so such a file is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRBigEndian

from mammoscope.dicom.elements import refuse, text
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.dicom.privacy.coded_concepts import CODE_MEANING, CODE_VALUE, PARTS, SCHEME, meaning_of
from mammoscope.dicom.privacy.encode import Item, Written
from mammoscope.dicom.privacy.judging import (
    DATES_CODE,
    DEVICE_CODE,
    METHOD,
    PATIENT_ID,
    PATIENT_NAME,
    PRIVATE_CODE,
    PROFILE_CODE,
    Judge,
    raw_of,
    vr_of,
)
from mammoscope.dicom.privacy.phi import Seen, pixel_findings, see
from mammoscope.dicom.privacy.profile import Action, Options, action_of, dummy_of, rule_of, vrs_of
from mammoscope.dicom.privacy.pseudonyms import DicomPseudonyms, is_well_known, shifted
from mammoscope.dicom.privacy.rewritten import check_rewritten, write_rewritten
from mammoscope.dicom.privacy.why import Why
from mammoscope.dicom.syntax import check_elements, check_syntax
from mammoscope.dicom.walk import Place, Step, creator_of

_UNREVIEWED: Final = (Why.secondary_capture, Why.burned_in_unsaid)
_REFUSALS: Final = {
    Why.secondary_capture: ("E-UNREVIEWED", "a Secondary Capture, and nobody has said that its picture was looked at"),
    Why.burned_in_unsaid: ("E-UNREVIEWED", "it does not say whether there is text in its picture, nor has anybody"),
    Why.burned_in: ("E-BURNED-IN", "BurnedInAnnotation is YES; allowed: NO"),
    Why.pixel_text: ("E-PIXEL-TEXT", "the pixel data holds a comment, or more bytes than the picture has"),
}
_METHOD: Final = int(Tag("DeidentificationMethod"))
_METHOD_CODES: Final = int(Tag("DeidentificationMethodCodeSequence"))
_IDENTITY_REMOVED: Final = int(Tag("PatientIdentityRemoved"))
_DATES_MODIFIED: Final = int(Tag("LongitudinalTemporalInformationModified"))
_BURNED_IN: Final = int(Tag("BurnedInAnnotation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose file it is and which, before and after."""

    patient: str  # what the patient's pseudonym and days are made of
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    pseudonym: str
    new_study_uid: str
    new_series_uid: str
    new_sop_uid: str

    @property
    def target(self) -> PurePosixPath:
        """Where the file goes, below the destination."""
        return PurePosixPath(self.pseudonym, self.new_study_uid, self.new_series_uid, f"{self.new_sop_uid}.dcm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentifier:
    """is_reviewed: somebody has looked at the pictures of all Secondary Captures, and of all files that do not say
    whether there is text in theirs, and found nobody's name.
    """

    pseudonyms: DicomPseudonyms
    options: Options
    is_reviewed: bool = False

    def subject(self, path: Path) -> Subject:
        """Raises: DicomError, as deidentify."""
        with open_dicom(path) as layout:
            return _subject(layout, self.pseudonyms, path)

    def deidentify(self, source: Path, result: Path) -> Subject:
        """Writes result, reads it again, and looks for all that the audit knows and for what identified the source.

        Raises: DicomError; result is then whatever it is, and must not be used.
        """
        with open_dicom(source, after=True) as layout:
            seen = see(layout, source, self.options)
            self._check(layout, seen, source)
            subject = _subject(layout, self.pseudonyms, source)
            is_little = layout.transfer_syntax != ExplicitVRBigEndian
            cleaner = _Cleaner(seen.judge, self.pseudonyms, subject, is_little)
            cleaned = cleaner.clean(layout.dataset, ())
            said = {e.tag: e for e in self._said(subject, has_private=any(e.tag >> 16 & 1 for e in cleaned))}
            elements = [*(e for e in cleaned if e.tag not in said), *said.values()]
            write_rewritten(layout, elements, text(layout.elements, "SOPClassUID"), subject.new_sop_uid, result)
            check_rewritten(layout, seen, self.pseudonyms, result, source)
        return subject

    def _check(self, layout: Layout, seen: Seen, path: Path) -> None:
        """Raises: DicomError for a file that is not de-identified."""
        sop_class = text(layout.elements, "SOPClassUID")
        if not is_well_known(sop_class) or UID(sop_class).type != "SOP Class":
            refuse("E-SOP-CLASS", path, "its SOP class is not one of the standard's")
        if layout.pixels is None:
            refuse("E-NO-PIXELS", path, f"a file of {UID(sop_class).name}; allowed: images, for their text can be told")
        if layout.pixels.fault is not None:
            raise layout.pixels.fault
        check_syntax(layout, path)
        check_elements(layout, path)
        for finding in pixel_findings(layout, seen):
            if not (self.is_reviewed and finding.why in _UNREVIEWED):
                code, reason = _REFUSALS[finding.why]
                refuse(code, path, reason)

    def _said(self, subject: Subject, *, has_private: bool) -> Iterator[Written]:
        """What was done, by PS3.15 E.1.1 and E.3."""
        codes = [PROFILE_CODE]
        codes += [DATES_CODE] * self.options.shifts_dates
        codes += [DEVICE_CODE] * self.options.retains_device
        codes += [PRIVATE_CODE] * has_private
        items = [_code(code, "DCM", METHOD[code]) for code in codes]
        yield Written(PATIENT_NAME, "PN", subject.pseudonym.encode())
        yield Written(PATIENT_ID, "LO", subject.pseudonym.encode())
        yield Written(_IDENTITY_REMOVED, "CS", b"YES")
        yield Written(_METHOD, "LO", "\\".join(METHOD[code] for code in codes).encode())
        yield Written(_METHOD_CODES, "SQ", items)
        yield Written(_DATES_MODIFIED, "CS", b"MODIFIED" if self.options.shifts_dates else b"REMOVED")
        if self.is_reviewed:
            yield Written(_BURNED_IN, "CS", b"NO")


def _code(value: str, scheme: str, meaning: str) -> Item:
    return (
        Written(CODE_VALUE, "SH", value.encode()),
        Written(SCHEME, "SH", scheme.encode()),
        Written(CODE_MEANING, "LO", meaning.encode()),
    )


def _subject(layout: Layout, pseudonyms: DicomPseudonyms, path: Path) -> Subject:
    facts = {k: text(layout.elements, k) for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    absent = [keyword for keyword, uid in facts.items() if not uid]
    if absent:
        refuse("E-HEADER", path, f"{absent[0]} is absent")
    study_uid, series_uid, sop_uid = facts.values()
    patient_id, issuer = text(layout.elements, "PatientID"), text(layout.elements, "IssuerOfPatientID")
    # a number is one patient's where its issuer gave it; who has none is known by the study alone
    patient = "\\".join(filter(None, (issuer, patient_id))) if patient_id else f"study {study_uid}"
    return Subject(
        patient=patient,
        patient_id=patient_id,
        study_uid=study_uid,
        series_uid=series_uid,
        sop_uid=sop_uid,
        pseudonym=pseudonyms.patient(patient),
        new_study_uid=pseudonyms.uid(study_uid),
        new_series_uid=pseudonyms.uid(series_uid),
        new_sop_uid=pseudonyms.uid(sop_uid),
    )


@dataclass(frozen=True, slots=True)
class _Cleaner:
    judge: Judge
    pseudonyms: DicomPseudonyms
    subject: Subject
    is_little: bool

    def clean(self, dataset: Dataset, steps: tuple[Step, ...]) -> Item:
        """What is left of a data set, or of an item. It was walked through before: it is as deep as is allowed."""
        found = []
        for tag in sorted(dataset.keys()):
            place = Place(steps, tag, dataset)
            stored = raw_of(place, is_little=self.is_little)
            written = self._written(place, stored, self.judge.judge(place, stored).action)
            if written is not None:
                found.append(written)
        return [*found, *_reserved(dataset, found)]

    def _written(self, place: Place, stored: RawDataElement | DataElement, action: Action) -> Written | None:
        tag, vr = int(place.tag), _written_vr(place.tag, stored)
        match action:
            case Action.remove:
                return None
            case Action.empty:
                return Written(tag, vr, b"")
            case _ if vr == "SQ":
                return Written(tag, vr, self._items(place, stored))
            case Action.dummy:
                return Written(tag, vr, self._dummy(tag, vr))
            case Action.uid:
                return Written(tag, vr, self._uids(stored))
            case Action.shift:
                return self._shifted(place, stored, vr)
            case Action.keep:
                return Written(tag, vr, self._bytes(stored))
            case _:
                raise AssertionError(action)

    def _items(self, place: Place, stored: RawDataElement | DataElement) -> list[Item]:
        if isinstance(stored.value, bytes) or not stored.value:  # a sequence by its tag, and none by its VR
            return []
        found = []
        for number, item in enumerate(place.element.value):
            left = self.clean(item, (*place.steps, (place.tag, number)))
            was_code = any(part in item for part in PARTS)
            if was_code and not {CODE_VALUE, SCHEME} <= {e.tag for e in left}:
                left = [e for e in left if e.tag not in PARTS]
            if left or not was_code:  # a code that nobody knows is nothing any more; other items are counted
                found.append(left)
        if not found and self.judge.kind(place.steps, int(place.tag)) == "1":  # there must be one (PS3.3 5.4)
            return [_code("261665006", "SCT", "Unknown")]
        return found

    def _dummy(self, tag: int, vr: str) -> bytes:
        return self.subject.pseudonym.encode() if tag in (PATIENT_NAME, PATIENT_ID) else dummy_of(vr)

    def _uids(self, stored: RawDataElement | DataElement) -> bytes:
        uids = self._bytes(stored).decode("latin-1").split("\\")
        return "\\".join(self.pseudonyms.uid(uid.strip(" \0")) for uid in uids).encode()

    def _shifted(self, place: Place, stored: RawDataElement | DataElement, vr: str) -> Written | None:
        tag = int(place.tag)
        if tag in PARTS:
            return Written(tag, vr, (meaning_of(place.dataset) or "").encode())
        moved = shifted(self._bytes(stored), vr, self.pseudonyms.days(self.subject.patient))
        if moved is not None:
            return Written(tag, vr, moved)
        rule = rule_of(tag)
        assert rule is not None, "a date that is moved is one that the profile lists"
        return self._written(place, stored, action_of(rule, vr, self.judge.kind(place.steps, tag), Options()))

    def _bytes(self, stored: RawDataElement | DataElement) -> bytes:
        if not isinstance(stored.value, bytes):
            assert not stored.value, "sequences apart, nothing is converted"
            return b""
        return stored.value


def _written_vr(tag: BaseTag, stored: RawDataElement | DataElement) -> str:
    allowed = vrs_of(int(tag))
    if allowed and stored.VR not in allowed:
        return allowed[0]
    return vr_of(stored)


def _reserved(dataset: Dataset, found: list[Written]) -> Iterator[Written]:
    """The creators of the private blocks of which something is left (PS3.5 7.8.1)."""
    blocks = {e.tag & 0xFFFF0000 | e.tag >> 8 & 0xFF: BaseTag(e.tag) for e in found if e.tag >> 16 & 1}
    for reservation, tag in sorted(blocks.items()):
        yield Written(reservation, "LO", creator_of(dataset, tag).encode("latin-1"))
