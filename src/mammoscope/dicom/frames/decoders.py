"""Who decodes which transfer syntax: chosen once, and pinned by name, so that another package that happens to be
installed changes nothing. None of them is under the GPL, as pylibjpeg-libjpeg is."""

import warnings
from contextlib import suppress
from typing import Any, Final

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders import JPEGExtended12BitDecoder
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import UID, JPEGTransferSyntaxes, RLELossless

from mammoscope.dicom.frames.facts import ImageFacts

NATIVE: Final = ""  # needs no decoder
DECODERS: Final = {
    "1.2.840.10008.1.2": NATIVE,  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1": NATIVE,  # Explicit VR Little Endian
    "1.2.840.10008.1.2.1.99": NATIVE,  # Deflated
    "1.2.840.10008.1.2.2": NATIVE,  # Explicit VR Big Endian
    "1.2.840.10008.1.2.4.50": "gdcm",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51": "imagecodecs",  # JPEG Extended, 8 or 12 bit
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": "gdcm",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS Near-Lossless
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000 Lossless, by OpenJPEG as the next four
    "1.2.840.10008.1.2.4.91": "pylibjpeg",  # JPEG 2000
    "1.2.840.10008.1.2.4.201": "pylibjpeg",  # HTJ2K Lossless
    "1.2.840.10008.1.2.4.202": "pylibjpeg",  # HTJ2K Lossless RPCL
    "1.2.840.10008.1.2.4.203": "pylibjpeg",  # HTJ2K
    "1.2.840.10008.1.2.5": "pylibjpeg",  # RLE
}
# ends the whole process at some damaged streams, and only writes a line about others: never called in ours
APART: Final = frozenset({"gdcm"})

# what pydicom asks of a plug-in
DECODER_DEPENDENCIES: Final = {JPEGExtended12BitDecoder.UID: ("imagecodecs",)}


def is_available(uid: str) -> bool:
    return uid in DECODER_DEPENDENCIES


def decode_extended(stream: bytes, runner: DecodeRunner) -> bytes:
    """JPEG Extended of 12 bits, for pydicom, which has no free decoder of it."""
    if runner.samples_per_pixel != 1:
        raise NotImplementedError("JPEG Extended in colour")
    import imagecodecs  # half a second, which nothing else needs

    decoded = imagecodecs.jpeg8_decode(stream)
    runner.set_option("bits_allocated", decoded.dtype.itemsize * 8)
    return decoded.tobytes()


JPEGExtended12BitDecoder.add_plugin("imagecodecs", (__name__, "decode_extended"))


def decode(stream: bytes, facts: ImageFacts, precision: int) -> tuple[np.ndarray, str]:
    """One frame's values, (rows, columns) or (rows, columns, 3), and the photometric interpretation that they have now.

    precision: bits of a sample, as the stream says. Raises: whatever the decoders raise.
    """
    options: dict[str, Any] = {
        "rows": facts.rows_px,
        "columns": facts.columns_px,
        "number_of_frames": 1,
        "samples_per_pixel": facts.samples_per_pixel,
        "photometric_interpretation": facts.photometric,
        "planar_configuration": facts.planar_configuration or 0,
        "bits_allocated": facts.bits_allocated,
        "bits_stored": precision,  # that of the header would have values cut that have more
        "pixel_representation": int(facts.is_signed),
        "pixel_keyword": "PixelData",
        "correct_unused_bits": facts.transfer_syntax == RLELossless,
    }
    decoder, plugin = get_decoder(UID(facts.transfer_syntax)), DECODERS[facts.transfer_syntax]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what counts is checked by us
        decoded, said = decoder.as_array(
            encapsulate([stream], has_bot=False), index=0, raw=True, decoding_plugin=plugin, **options
        )
    if facts.is_signed and facts.transfer_syntax in JPEGTransferSyntaxes:  # JPEG knows no sign
        unused = decoded.itemsize * 8 - precision
        decoded = decoded.view(f"i{decoded.itemsize}") << unused >> unused
    return decoded, str(said["photometric_interpretation"])


def load_decoders() -> None:
    """All that they import, which else happens at the first frame of each."""
    for syntax, plugin in DECODERS.items():
        if plugin:
            get_decoder(UID(syntax))
    with suppress(ImportError):  # the others decode without it; the first frame that needs it says what is wrong
        import imagecodecs

        imagecodecs.jpeg8_version()
