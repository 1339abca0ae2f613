"""MONAI's way to a small picture, for benchmarks/prepare.py; it runs in an environment of its own and imports no ours.

Reads {"paths": [...], "out": folder, "processes": n} from standard input; prints the seconds, warm.
"""

import hashlib
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SIZE = (1152, 896)


def prepare(path: str, out: str) -> None:
    import torch
    from monai.data import PydicomReader
    from monai.transforms import Compose, LoadImage, Resize, SaveImage, ScaleIntensityRangePercentiles

    torch.set_num_threads(1)
    hashlib.sha256(Path(path).read_bytes()).hexdigest()
    pipeline = Compose(
        [
            LoadImage(reader=PydicomReader(swap_ij=False), image_only=True, ensure_channel_first=True),
            ScaleIntensityRangePercentiles(lower=0.5, upper=99.9, b_min=0, b_max=65535, clip=True),
            Resize(spatial_size=SIZE, mode="area"),
            SaveImage(
                output_dir=out,
                output_ext=".png",
                output_dtype="uint16",
                separate_folder=False,
                resample=False,
                print_log=False,
                output_postfix=Path(path).parent.name,
            ),
        ]
    )
    pipeline(path)


def main() -> None:
    told = json.load(sys.stdin)
    with ProcessPoolExecutor(told["processes"], multiprocessing.get_context("spawn")) as pool:
        for future in [pool.submit(prepare, path, told["out"]) for path in told["paths"][: told["processes"]]]:
            future.result()
        started = time.perf_counter()
        for future in [pool.submit(prepare, path, told["out"]) for path in told["paths"]]:
            future.result()
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
