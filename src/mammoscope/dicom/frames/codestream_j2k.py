"""What a JPEG 2000 or HTJ2K stream says of itself (ISO/IEC 15444-1 A), read before it is decoded."""

from typing import Final

from mammoscope.dicom.frames.codestream import END_OF_IMAGE, Codestream

_START: Final = b"\xff\x4f\xff\x51"
_JP2_HEADER_BYTES: Final = 4096  # the boxes before the stream, where there are any
_TILE_PART: Final = b"\xff\x90"
_TILE_PART_BYTES: Final = 14  # the least: SOT and SOD
_MOST_TILES: Final = 65535
_CODING_STYLE: Final = b"\xff\x52"
_CODING_STYLE_OF_A_COMPONENT: Final = b"\xff\x53"
_USUAL_TILES: Final = 4096  # OpenJPEG keeps some kilobytes for each
_USUAL_PARTS: Final = 1 << 15  # code blocks and precincts, as much for each: 8 times as many as a film's


def read_jpeg_2000(stream: bytes) -> Codestream | None:
    """In a JP2 file or not; None where it is neither, or contradicts itself."""
    start = stream.find(_START, 0, _JP2_HEADER_BYTES)
    if start < 0 or len(stream) < start + 45:
        return None
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = (
        int.from_bytes(stream[k : k + 4]) for k in range(start + 8, start + 40, 4)
    )
    components = int.from_bytes(stream[start + 40 : start + 42])
    described = stream[start + 42 : start + 42 + 3 * components]
    is_usable = tile_width and tile_height and right > left >= tile_left and bottom > top >= tile_top
    if not is_usable or not components or len(described) < 3 * components:
        return None
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    first_tile, parts = _main_header(stream, start + 2, right - left, bottom - top)
    is_subsampled = set(described[1::3]) | set(described[2::3]) != {1}
    return Codestream(
        rows_px=bottom - top,
        columns_px=right - left,
        samples=components,
        precision=max((depth & 0x7F) + 1 for depth in described[0::3]),
        fault="components of different sizes" if is_subsampled else _tile_fault(stream, first_tile, tiles),
        is_odd=parts > _USUAL_PARTS or tiles > _USUAL_TILES,
    )


def _main_header(stream: bytes, at: int, width: int, height: int) -> tuple[int, int]:
    """Where the first tile-part is, and of how many parts a component is made, or the one with the most."""
    parts = 0
    while at + 4 <= len(stream) and stream[at : at + 2] != _TILE_PART:
        marker, length = stream[at : at + 2], int.from_bytes(stream[at + 2 : at + 4])
        if marker == _CODING_STYLE:
            parts = max(parts, _parts(stream[at + 4 : at + 5], stream[at + 9 : at + 2 + length], width, height))
        elif marker == _CODING_STYLE_OF_A_COMPONENT:
            parts = max(parts, _parts(stream[at + 5 : at + 6], stream[at + 6 : at + 2 + length], width, height))
        at += 2 + max(length, 2)
    return at, parts


def _parts(style: bytes, parameters: bytes, width: int, height: int) -> int:
    """parameters: levels, exponents of a code block's sides less 2, style, transformation, precincts (Table A.15)."""
    levels, *sides = parameters[:3].ljust(3, b"\0")
    has_precincts = bool(style) and style[0] & 1
    count = 0
    for resolution, precinct in enumerate(parameters[5:] if has_precincts else b""):
        shrunk = max(0, levels - resolution)
        across, down = width >> shrunk, height >> shrunk
        count += (1 + (across >> (precinct & 15))) * (1 + (down >> (precinct >> 4)))
    return count + (width * height >> sum(side + 2 for side in sides))


def _tile_fault(stream: bytes, at: int, tiles: int) -> str:
    """Whether every tile is there whole: decoders leave black what lacks."""
    if tiles > _MOST_TILES or tiles * _TILE_PART_BYTES > len(stream):
        return f"{tiles} tiles are promised, in {len(stream)} bytes"
    seen = set()
    while stream[at : at + 2] == _TILE_PART and at + 12 <= len(stream):
        tile, length = int.from_bytes(stream[at + 4 : at + 6]), int.from_bytes(stream[at + 6 : at + 10])
        seen.add(tile)
        if length == 0:  # the last may leave it to the end of the stream
            at = len(stream.rstrip(b"\0")) - 2
            break
        at += max(length, 12)
    if stream[at : at + 2] != END_OF_IMAGE:
        return "the compressed picture has no end"
    there = len(seen & set(range(tiles)))
    return "" if there == tiles else f"{there} of {tiles} tiles are there"
