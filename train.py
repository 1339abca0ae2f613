"""python train.py model=resnet50 data=calc: one training run, from mammography DICOM to a registered model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # a checkout needs no installation

from mammoscope.compose import door, run_with_hydra
from mammoscope.config import TrainConfig


def main(config: TrainConfig) -> None:
    from mammoscope.jobs.menu import run  # late: --help and --cfg job need no torch

    run(config)


if __name__ == "__main__":
    door(lambda: run_with_hydra(main))
