"""python train.py model=resnet50 data=calc: one training run, from mammography DICOM to a registered model."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # a checkout needs no installation
os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach our one door, which prints the last line

import hydra
from omegaconf import DictConfig

from mammoscope.compose import door, register, to_config

register()


@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(composed: DictConfig) -> None:
    config = to_config(composed)
    from mammoscope.jobs.train import train  # late: --help and --cfg job need no torch

    train(config)


if __name__ == "__main__":
    door(main)
