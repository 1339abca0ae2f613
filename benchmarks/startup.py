"""How long it takes to look at the config or the help, against a bare `import hydra`. Target: at most 3x."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
ROUNDS = 9
COMMANDS = {
    "import hydra": ["-c", "import hydra"],
    "train.py --cfg job": ["train.py", "--cfg", "job"],
    "train.py --help": ["train.py", "--help"],
}


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    # a round runs all of them, so that whatever else the machine does hits all alike
    rounds = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(ROUNDS)]
    for name in COMMANDS:
        ratio = statistics.median(found[name] / found["import hydra"] for found in rounds)
        print(f"{name:20} {statistics.median(found[name] for found in rounds):.3f} s   {ratio:.2f} x import hydra")


if __name__ == "__main__":
    main()
