"""Preparing whole mammograms against a naive script, a MONAI pipeline and `cat`, on full-size phantom films.

    python benchmarks/prepare.py [--films 40] [--height-px 4600]      small numbers: to see that it works

Everybody has two processes, started and warm: what is timed is the work. Each path hashes the film, scales its grey
levels, resizes it to 1152 x 896 px and writes it. The films are drawn once and kept in the temporary folder.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pydicom

from mammoscope.catalog.cache import load_catalog
from mammoscope.config import ImageConfig, PhantomConfig
from mammoscope.data.cut import FilmWork
from mammoscope.data.prepare_shards import ShardWork, claim_shard
from mammoscope.phantom import write_phantom
from mammoscope.vocabulary import ImageVariant

PROCESSES = 2
HEIGHT_PX, WIDTH_PX = 1152, 896
IMAGE = ImageConfig(name=ImageVariant.full, height_px=HEIGHT_PX, width_px=WIDTH_PX)
SHARD = 4
CACHE = Path(tempfile.gettempdir()) / "mammoscope-benchmark"
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
TARGETS = {"naive": "at least 12", "monai": "at least 15", "cat": "at least 0.7"}


@dataclass(frozen=True, slots=True)
class Films:
    root: Path
    work: tuple[FilmWork, ...]

    @property
    def paths(self) -> list[str]:
        return [str(self.root / work.mammogram.path) for work in self.work if work.mammogram.path]


def full_size_films(count: int, height_px: int) -> Films:
    """Without their masks: the other paths know nothing of them."""
    patients = max(12, count // 2)
    width_px = round(height_px * 2900 / 4600)
    root = CACHE / f"phantom-{patients}-{height_px}x{width_px}"
    if not root.is_dir():
        print(f"drawing {patients} patients of {height_px} x {width_px} px in {root}, once", flush=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        phantom = PhantomConfig(
            patients=patients, seed=0, d_prime=2.0, height_px=height_px, width_px=width_px, test_fraction=0.3
        )
        write_phantom(root, phantom, workers=PROCESSES)
    catalog = load_catalog(root, CACHE / "catalogs")
    films = [mammogram for mammogram in catalog.mammograms if mammogram.path is not None]
    assert len(films) >= count, f"{len(films)} films in {root}"
    return Films(root, tuple(FilmWork(mammogram, ()) for mammogram in films[:count]))


def naive(path: str, out: str) -> None:
    """What a first script does: percentiles and scaling of the whole film, then the resize and a 16-bit PNG."""
    hashlib.sha256(Path(path).read_bytes()).hexdigest()
    pixels = pydicom.dcmread(path).pixel_array.astype(np.float32)
    low, high = np.percentile(pixels, [0.5, 99.9])
    scaled = np.clip((pixels - low) / (high - low), 0, 1)
    small = cv2.resize(scaled, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    cv2.imwrite(f"{out}/{Path(path).parent.name}.png", (small * 65535).astype(np.uint16))


def ours(root: str, store: str, number: int, films: tuple[FilmWork, ...]) -> tuple[int, int]:
    """(process, its peak memory in kB)."""
    claim_shard(root, store, ShardWork(number, films), IMAGE, False)
    return os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def warm(seconds: float) -> None:
    time.sleep(seconds)


def timed(
    pool: ProcessPoolExecutor, function: Callable, arguments: Sequence[tuple], films: Films, *, cold: bool
) -> tuple[float, list]:
    """Seconds, and what the calls gave, in their order. The films are in the page cache, or none of them is."""
    if cold:
        drop_caches()
    else:
        read_all(films)
    started = time.perf_counter()
    results = [future.result() for future in [pool.submit(function, *own) for own in arguments]]
    return time.perf_counter() - started, results


def warm_pool(function: Callable, arguments: Sequence[tuple]) -> ProcessPoolExecutor:
    """Both processes have imported and run what they will run."""
    pool = ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn"))
    for future in [pool.submit(warm, 1.0) for _ in range(PROCESSES)]:
        future.result()
    for future in [pool.submit(function, *own) for own in arguments]:
        future.result()
    return pool


def read_all(films: Films) -> None:
    subprocess.run(["cat", *films.paths], stdout=subprocess.DEVNULL, check=True)


def drop_caches() -> bool:
    """Whether the system let us."""
    os.sync()
    try:
        DROP_CACHES.write_text("1")
    except OSError:
        return False
    return True


def time_ours(films: Films, folder: Path) -> tuple[dict[str, float], list[tuple[int, int]]]:
    def tasks(store: str, work: Sequence[FilmWork]) -> list[tuple]:
        (folder / store / "locks").mkdir(parents=True)
        shards = [tuple(work[i : i + SHARD]) for i in range(0, len(work), SHARD)]
        return [(str(films.root), str(folder / store), n, shard) for n, shard in enumerate(shards)]

    seconds = {}
    with warm_pool(ours, tasks("warm-up", films.work[: 2 * SHARD])) as pool:
        seconds["warm"], _ = timed(pool, ours, tasks("warm", films.work), films, cold=False)
        seconds["cold"], memory = timed(pool, ours, tasks("cold", films.work), films, cold=True)
    return seconds, memory


def time_naive(films: Films, folder: Path) -> float:
    (folder / "naive").mkdir()
    tasks = [(path, str(folder / "naive")) for path in films.paths]
    with warm_pool(naive, tasks[:PROCESSES]) as pool:
        return timed(pool, naive, tasks, films, cold=False)[0]


def time_cat(films: Films) -> float:
    drop_caches()
    started = time.perf_counter()
    read_all(films)
    return time.perf_counter() - started


def time_monai(films: Films, folder: Path) -> float | None:
    """In an environment of its own, which shares torch and numpy with ours; None where it cannot be installed."""
    python = folder / "monai/bin/python"
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "-q", "--python", str(python), "--no-deps", "monai"]
    try:
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / "monai")], check=True)
        if subprocess.run([*install, "--system-certs"], capture_output=True).returncode:
            subprocess.run(install, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"monai: skipped, it cannot be installed ({error})")
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / f"monai/lib/{version}/site-packages/ours.pth").write_text(str(Path(np.__file__).parents[1]))
    (folder / "png").mkdir()
    script = Path(__file__).parent / "peers" / "prepare_monai.py"
    told = json.dumps({"paths": films.paths, "out": str(folder / "png"), "processes": PROCESSES})
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run([python, script], input=told, capture_output=True, text=True, env=environment)
    if ran.returncode:
        print(f"monai: skipped, it does not run here ({ran.stderr.strip().splitlines()[-1:]})")
        return None
    return float(ran.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--height-px", type=int, default=4600)
    options = parser.parse_args()
    films = full_size_films(options.films, options.height_px)
    megabytes = sum(os.path.getsize(path) for path in films.paths) / 1e6
    print(f"{options.films} films, {megabytes:.0f} MB, {PROCESSES} processes")
    if not drop_caches():
        print("caches cannot be dropped (not root): `cold` is as warm as the system keeps it")
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        seconds, memory = time_ours(films, folder)
        cat = time_cat(films)
        peers = {"naive": time_naive(films, folder), "monai": time_monai(films, folder)}  # warm, both
    for state, own in seconds.items():
        print(f"ours, {state:5} {own:7.2f} s  {1e3 * own / options.films:6.1f} ms a film  {megabytes / own:6.0f} MB/s")
    print(f"cat, cold   {cat:7.2f} s  {1e3 * cat / options.films:6.1f} ms a film  {megabytes / cat:6.0f} MB/s")
    print(f"ours : cat, both cold {cat / seconds['cold']:.2f} (target: {TARGETS['cat']})")
    for peer, own in peers.items():
        if own is not None:
            print(f"{peer:11} {own:7.2f} s  {1e3 * own / options.films:6.1f} ms a film")
            print(f"ours : {peer} {own / seconds['warm']:.1f} (target: {TARGETS[peer]})")
    for process in sorted({process for process, _ in memory}):
        peaks = [peak / 1e3 for pid, peak in memory if pid == process]
        print(f"peak memory of a process: {peaks[0]:.0f} MB at first, {peaks[-1]:.0f} MB at last (target: at most 600)")


if __name__ == "__main__":
    main()
