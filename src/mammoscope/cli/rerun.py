"""A script: python rerun.py CONFIG.yaml INPUTS.json RESULT.json, with the code of some commit on the path.

It trains once more what the config says, where what goes in is what went in before. It is run by its path and may use
only what every version has: compose.config_from_yaml, jobs.gather, jobs.train.
"""

import json
import sys
from pathlib import Path

from mammoscope.compose import config_from_yaml, door
from mammoscope.data.preprocess import preprocessing_hash
from mammoscope.jobs.gather import gather
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.train import train


def main() -> None:
    config_file, inputs_file, result_file = (Path(word) for word in sys.argv[1:])
    config = config_from_yaml(config_file.read_text())
    settled = settle_table(config)
    data = gather(settled)
    now = {
        "seed": str(config.seed),
        "preprocessing": preprocessing_hash(settled.image),
        "certificate": data.certificate.digest,
        "catalog": data.catalog.digest,
    }
    before = json.loads(inputs_file.read_text())
    differing = [f"{key} {value} (the run: {before[key]})" for key, value in now.items() if before[key] != value]
    result = {"differing": differing} if differing else {"run": train(config)}
    result_file.write_text(json.dumps(result))


if __name__ == "__main__":
    door(main)
