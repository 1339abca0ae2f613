"""Calls that sleep, as a Hydra application that hydra-optuna-sweeper searches; for benchmarks/searches_peer.py.

It runs in an environment of its own and imports none of our code. `told` names a file {"seconds": [of call 0, ...],
"raises": number of the call that does}; each call adds a line to `calls`: its number, when it began and when it ended.
"""

import json
import time
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

ConfigStore.instance().store("config", {"x": 0, "told": "???", "calls": "???"})


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(config: DictConfig) -> float:
    told = json.loads(Path(config.told).read_text())
    began = time.time()
    time.sleep(told["seconds"][config.x])
    with open(config.calls, "a") as file:
        file.write(f"{config.x} {began} {time.time()}\n")
    if config.x == told["raises"]:
        raise ValueError("this call raises")
    return float(config.x)


if __name__ == "__main__":
    main()
