"""What the standard wants in a file of a SOP class (PS3.3): the tables of IODs, modules and attributes in highdicom.

They give the type of each attribute, but no condition of a type 1C or 2C, no enumerated value, and no usage of a
functional group's macro. So: what a mandatory module types 1 or 2 is required; conditions are those few that are simple
enough to be written down here; any functional group may be absent, and what is in it is compared.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

_STRICTEST_FIRST: Final = ("1", "2", "1C", "2C", "3", "None")
_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OF_ANY_CONTENT: Final = ("RelationshipType", "ValueType")  # which decides what else a content item has (C.17.3)
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """What is wanted of one element of a data set, or of each item of a sequence."""

    tag: int
    keyword: str
    kind: str  # 1, 1C, 2, 2C, 3, or None where the standard gives no type
    module: str
    is_required: bool
    is_filled: bool  # where it is there, it has a value
    items: "Attributes"  # of a sequence: what is wanted in each of its items


Attributes = Mapping[int, Attribute]  # by tag


@dataclass(frozen=True, slots=True)
class Iod:
    name: str  # as the tables have it: digital-mammography-x-ray-image
    attributes: Attributes
    has_pixels: bool  # whether every instance has


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a type 1C or 2C: required where `other` is there, with one of `values` if there are any."""

    other: str
    values: tuple[str, ...] = ()
    unless: str = ""  # or this one is there instead
    module: str = ""  # which says so; empty: all that type it 1C or 2C


# only what PS3.3 says in so many words of two elements of one data set
CONDITIONS: Final[Mapping[str, Condition]] = {
    "WindowWidth": Condition("WindowCenter"),
    "RescaleSlope": Condition("RescaleIntercept", module="modality-lut"),
    "RescaleType": Condition("RescaleIntercept", module="modality-lut"),  # of CT it is the unit that decides
    "PlanarConfiguration": Condition("SamplesPerPixel", ("2", "3", "4")),
    "RedPaletteColorLookupTableDescriptor": Condition("PhotometricInterpretation", ("PALETTE COLOR",)),
    "GreenPaletteColorLookupTableDescriptor": Condition("PhotometricInterpretation", ("PALETTE COLOR",)),
    "BluePaletteColorLookupTableDescriptor": Condition("PhotometricInterpretation", ("PALETTE COLOR",)),
    "LossyImageCompressionRatio": Condition("LossyImageCompression", ("01",)),
    "LossyImageCompressionMethod": Condition("LossyImageCompression", ("01",)),
    "DeidentificationMethod": Condition(
        "PatientIdentityRemoved", ("YES",), unless="DeidentificationMethodCodeSequence"
    ),
}


@cache
def iod_of(sop_class: str) -> Iod | None:
    """None for a SOP class that the tables do not have: retired, private, or of no storage at all."""
    name = _table("sop_class_iod_map").get(sop_class)
    if name is None:
        return None
    modules = [_Module(m["key"], m["usage"] == "M", _tree(m["key"])) for m in _table("iod_module_map")[name]]
    mandatory = {keyword for m in modules if m.is_mandatory for keyword in m.tree}
    return Iod(name, _merged(modules, _Where.top), any(keyword in mandatory for keyword in _PIXELS))


class _Where(Enum):
    top = auto()
    item = auto()  # of a sequence
    content = auto()  # of a structured report, or the context of an acquisition
    group = (
        auto()
    )  # of functional groups: where a macro is, in the shared item or in each frame's, is the file's choice


@dataclass(slots=True)
class _Node:
    kind: str
    items: dict[str, "_Node"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    is_mandatory: bool
    tree: Mapping[str, _Node]


@cache
def _table(name: str) -> Any:
    return json.loads(_text(name))


@cache
def _rows() -> Mapping[str, Sequence[tuple[str, str, tuple[str, ...]]]]:
    """Of each module: keyword, type and path of its attributes. A tenth of the memory that the parsed JSON takes."""
    paths: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(pairs: list[tuple[str, Any]]) -> Any:
        entry = dict(pairs)
        if "path" not in entry:
            return entry
        path = tuple(entry["path"])
        return entry["keyword"], entry["type"], paths.setdefault(path, path)

    return json.loads(_text("module_attribute_map"), object_pairs_hook=row)


def _text(name: str) -> bytes:
    """highdicom's own way to its tables imports all of highdicom, which takes longer than to read a tree of files."""
    spec = find_spec("highdicom")
    assert spec is not None, "ours depends on it"
    assert spec.submodule_search_locations is not None, "it is a package"
    return Path(spec.submodule_search_locations[0], "_standard", f"{name}.json").read_bytes()


def _tree(module: str) -> Mapping[str, _Node]:
    top: dict[str, _Node] = {}
    for keyword, kind, path in _rows().get(module, ()):  # the tables name some modules that they lack
        items = top
        for step in path:
            items = items.setdefault(step, _Node("3")).items
        items[keyword] = _Node(kind)
    return top


def _merged(modules: Sequence[_Module], where: _Where) -> Attributes:
    """One data set, or one item, as all modules want it that say something of it."""
    keywords = dict.fromkeys(keyword for m in modules for keyword in m.tree)
    if where is _Where.item and "ValueType" in keywords:
        where = _Where.content
    found = (_attribute(keyword, modules, where) for keyword in keywords)
    return {attribute.tag: attribute for attribute in found if attribute is not None}


def _attribute(keyword: str, modules: Sequence[_Module], where: _Where) -> Attribute | None:
    """What a mandatory module says holds; of several, what is strictest.

    Where only others speak, nobody knows which of them is used: what is least strict holds. Nothing is required then at
    the top, and within a sequence that is there, what all of them require.
    """
    tag = tag_for_keyword(keyword)
    if tag is None:  # of overlays, which have a tag for each plane
        return None
    saying = [m for m in modules if keyword in m.tree]
    binding = [m for m in saying if m.is_mandatory]
    by_strictness = sorted(binding or saying, key=lambda m: _STRICTEST_FIRST.index(m.tree[keyword].kind))
    decides = by_strictness[0 if binding else -1]
    kind = decides.tree[keyword].kind
    is_said_by_all = where is not _Where.top and len(saying) == len(modules)
    is_certain = where is not _Where.group and (bool(binding) or is_said_by_all)
    if where is _Where.content and keyword not in _OF_ANY_CONTENT:
        is_certain = False
    below = [_Module(m.name, m.is_mandatory, m.tree[keyword].items) for m in saying]
    return Attribute(
        tag=int(tag),
        keyword=keyword,
        kind=kind,
        module=decides.name,
        is_required=is_certain and kind in ("1", "2"),
        is_filled=kind in ("1", "1C"),
        items=_merged(below, _Where.group if keyword in _GROUPS else _Where.item),
    )
