"""Where the mammograms lie: the tree that the command names, or the demo phantom, drawn once beside the store."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from mammoscope.catalog.case_descriptions import FILES
from mammoscope.checks import check_phantom
from mammoscope.config import PhantomConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.phantom import FAULTS, read_marker, write_phantom
from mammoscope.phantom.marker import VERSION
from mammoscope.records import Catalog
from mammoscope.reporting.console import progress, say
from mammoscope.vocabulary import SourceName, Trap

# A patient has 2.6 films of 16 bits and 2.9 masks of 8 in the mean; the crops are small.
BYTES_A_PIXEL = 8.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    root: Path
    catalog: Catalog
    # source=table: table_split.draw_names. Beside the catalog, which is cached and written; this stays in memory.
    drawn_by: Mapping[str, str] = field(default_factory=dict, repr=False)


def find_root(config: TrainConfig) -> Path:
    """The source's root; draws the demo phantom where it is wanted and not there yet.

    Raises MammoscopeError for a root that is absent, or that `source=phantom` finds without a phantom's marker.
    """
    if config.source.root is None:
        assert config.source.name is SourceName.phantom, "composition asks for source.root"
        return _demo_phantom(config)
    root = Path(config.source.root).expanduser()
    wants_phantom = config.source.name is SourceName.phantom
    hint = "; `mammoscope data phantom DEST` writes a phantom" if wants_phantom else ""
    if not root.is_dir():
        raise MammoscopeError(f"source.root={root}: there is no such folder{hint}")
    if wants_phantom and read_marker(root) is None:
        raise MammoscopeError(
            f"source.root={root}: not a phantom, it has no marker file{hint}; for real data: source=cbis_ddsm"
        )
    return root.resolve()


def _demo_phantom(config: TrainConfig) -> Path:
    drawn = json.dumps([VERSION, asdict(config.phantom)], sort_keys=True)
    digest = hashlib.sha256(drawn.encode()).hexdigest()[:12]
    root = Path(config.store.root).resolve().parent / f"phantom-{digest}"
    if root.is_dir():  # it came there whole
        return root
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root.with_name(root.name + ".lock")).acquire()
    except OSError as error:
        raise MammoscopeError(
            f"store.root={config.store.root}: cannot write beside it: {error.strerror or error}"
        ) from error
    with lock:
        if not root.is_dir():
            draw_phantom(root, config.phantom, config.store.workers)
    return root


def draw_phantom(root: Path, phantom: PhantomConfig, workers: int, faults: Collection[Trap] = ()) -> None:
    """Raises MammoscopeError for settings out of range and for a `root` that holds something."""
    check_phantom(phantom)
    for folder in root.resolve().parents:
        if any((folder / name).is_file() for name in FILES):
            refuse_inside(folder, root, str(root))
    planted = f" with {len(set(faults))} kinds of faults" if faults else ""
    gigabytes = BYTES_A_PIXEL * phantom.height_px * phantom.width_px * phantom.patients / 1e9
    say(f"drawing a phantom of {phantom.patients} patients{planted} in {root}, about {gigabytes:.2g} GB")
    with progress("patients drawn") as step:
        write_phantom(root, phantom, faults=faults, workers=workers, progress=step)


def list_faults() -> None:
    """What `--faults` may name, one a line."""
    for name, fault in FAULTS.items():
        say(f"{name:<22} {fault.says}")
