"""Whether the decoders that are installed decode: a small picture in each transfer syntax, compared with what it is.

A broken installation is said, not met.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.uid import UID

from mammoscope.dicom.frames.compressed import decoded_frame
from mammoscope.dicom.frames.decoders import DECODERS
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.errors import DicomError

_SIDE_PX: Final = 8

# transfer syntax -> bits stored, how far a value may be off, the picture; base64
_SAMPLES: Final = {
    "1.2.840.10008.1.2.4.50": (
        8,
        0,
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
        "AQEBAQEBAQEBAQEBAQH/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACP/EABwQAAAGAwAAAAAAAAAAAAAAAAAICSU2"
        "Q1Rhcv/aAAgBAQAAPwAVpJFbjLdh1caH/9k=",
    ),
    "1.2.840.10008.1.2.4.51": (
        12,
        0,
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
        "AQEBAQEBAQEBAQEBAQH/wQALDAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAADP/EABwQAAAGAwAAAAAAAAAAAAAAAAAMDSk6"
        "R1hldv/aAAgBAQAAPwAV+knBW/jOt2Yk1byOqH//2Q==",
    ),
    "1.2.840.10008.1.2.4.57": (
        12,
        0,
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALDAAIAAgBAREA/8QAFwABAQEBAAAAAAAAAAAAAAAAAAgJDP/aAAgBAQAEAADn/wDUDUDU"
        "DUDUDUDUCkAFIAKQAUgApABSACkAH//Z",
    ),
    "1.2.840.10008.1.2.4.70": (
        12,
        0,
        "/9j/4AAQSkZJRgABAQAAAQABAAD/wwALDAAIAAgBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAACQgM/9oACAEBAAEAAM/+oCgKAoCg"
        "KAoFIKAoCgKAoCgKBSCgKAoCgKAoCgUgoCgKAoCgKAoFIKAoCgKAoCgKBSCgKAoCgKAoCgUgoCgKAoCgKAoFIKAoCgKAoCgKB//Z",
    ),
    "1.2.840.10008.1.2.4.80": (
        12,
        0,
        "/9j/9wALDAAIAAgBAREA/9oACAEBAAAAAIAfwB/L6XsvKd06hgDATxOE0TCLBgDAiiJIghyGIUTxPIQgyCIEgH+JwnP5+vx9vp8i"
        "aJr4e72er0OYmCYcjicDebjaRZFmw1mo0mgzkUD/2Q==",
    ),
    "1.2.840.10008.1.2.4.81": (
        12,
        2,
        "/9j/9wALDAAIAAgBAREA/9oACAEBAAIAAIB8B9/fX99fRoadOHThwNDTZs2bNmjhw2aNGTJo6dMmTJkyYOHDBgwXLlzhwuXLFyxY"
        "4cKlSpUqUNj/2Q==",
    ),
    "1.2.840.10008.1.2.4.90": (
        12,
        0,
        "/0//UQApAAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABCwEB/1IADAAAAAEAAAQEAAH/XAAEQGD/ZAAlAAFDcmVh"
        "dGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAABMAAH/k9/g7BIrZtPAHg+/HHnkU39QsFYpjyHHpbwpZN0t9Hpn"
        "/D6WLzhRBgCAZjkG9EPcyUVaVUACUgcAAAFYA/9//9k=",
    ),
    "1.2.840.10008.1.2.4.91": (
        12,
        16,
        "/0//UQApAAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABCwEB/1IADQECAAEAAAQEAACI/1wABUJgAP9kACUAAUNy"
        "ZWF0ZWQgYnkgT3BlbkpQRUcgdmVyc2lvbiAyLjUuNP+QAAoAAAAAAEEAAf+T33GAEitm08AeD78ceeRTf1CwVimPIcelvClk3S30"
        "emf8PpYvOFEGAIBmOQb0Q9zJRVpV/9k=",
    ),
    "1.2.840.10008.1.2.4.201": (
        16,
        0,
        "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
        "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAF0AAf+TwAAmufcFB3QAAADAABNAABMAZvsD"
        "B3QAIP0Ch3QAwAATwAATgJ559gKCdACGGvoAg1QAwAAqoAAVYH78+PHzqnICdQAePTw8/sAxgey2AP/Z",
    ),
    "1.2.840.10008.1.2.4.202": (
        16,
        0,
        "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
        "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAF0AAf+TwAAmufcFB3QAAADAABNAABMAZvsD"
        "B3QAIP0Ch3QAwAATwAATgJ559gKCdACGGvoAg1QAwAAqoAAVYH78+PHzqnICdQAePTw8/sAxgey2AP/Z",
    ),
    "1.2.840.10008.1.2.4.203": (
        16,
        4,
        "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAAJ/9SAAwAAgABAAUEBEAA/1wAIyKc"
        "XZw3nDecEpRJlEmUMYyIjIiMnIUhhSGFjXz2fPZ8mf9kABcAAU9wZW5KUEggVmVyIDAuMjYuMy7/kAAKAAAAAABnAAH/k8AACcCx"
        "/vwGh3QAAADAACaAAEyu/QKHdACM/gIHdADAAFRAAFQABARycgDCtAAAE4DpAIa0AMAAr4ABXNaiSCpZG0WS9DJLypt2AAjgkAd5"
        "yCEAACm76jcA/9k=",
    ),
    "1.2.840.10008.1.2.5": (
        12,
        0,
        "AgAAAEAAAACIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAcAAQIDBQYHCAcA"
        "AQMEBQYICQcBAgMEBgcICQcBAgQFBgcJCgcCAwQGBwgJCwcCBAUGBwkKCwcDBAUHCAkKDAcDBQYHCAoLDAcAQIDAAECAwAeQ0BBQ"
        "kNAQUAcgYKDgIGCg4Aew8DBwsPAwcAdAgMAAQIDAAAfQEFCQ0BBQkAdgoOAgYKDgIAfwMHCw8DBwsA==",
    ),
}


@dataclass(frozen=True, slots=True)
class DecoderCheck:
    transfer_syntax: str
    plugin: str
    fault: str  # empty: it decodes

    @property
    def name(self) -> str:
        return UID(self.transfer_syntax).name

    def __str__(self) -> str:
        return f"{self.plugin} does not decode {self.name} here ({self.fault})" if self.fault else ""


def decoders_self_test(*, isolated: bool = False) -> list[DecoderCheck]:
    """One for each compressed transfer syntax of the menu, in its order. Nothing is raised.

    isolated: see compressed.decoded_frame.
    """
    return [DecoderCheck(syntax, plugin, _fault(syntax, isolated)) for syntax, plugin in DECODERS.items() if plugin]


def _fault(transfer_syntax: str, isolated: bool) -> str:
    bits, tolerance, stream = _SAMPLES[transfer_syntax]
    try:
        facts = _facts(transfer_syntax, bits)
        values, _ = decoded_frame(base64.b64decode(stream), facts, Path("self-test"), isolated)
    except DicomError as error:
        return f"{error.code}: {error.reason}"
    off = int(np.abs(values.astype(np.int64) - picture(bits)).max())
    return f"off by {off}; allowed: {tolerance}" if off > tolerance else ""


def picture(bits: int) -> np.ndarray:
    """What every sample shows: a slope, of 8 bits or sixteen times as steep."""
    row, column = np.mgrid[:_SIDE_PX, :_SIDE_PX]
    return (row * 9 + column * 20) * (1 if bits == 8 else 16)


def _facts(transfer_syntax: str, bits: int) -> ImageFacts:
    return ImageFacts(
        rows_px=_SIDE_PX,
        columns_px=_SIDE_PX,
        frames=1,
        samples_per_pixel=1,
        bits_allocated=8 if bits == 8 else 16,
        bits_stored=bits,
        high_bit=bits - 1,
        is_signed=False,
        is_float=False,
        photometric="MONOCHROME2",
        planar_configuration=None,
        transfer_syntax=transfer_syntax,
        sop_class="",
        modality="",
    )
