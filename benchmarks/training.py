"""What loop, tracking and checkpoints cost over a bare torch loop; what a second process or a frozen head gains.

    python benchmarks/training.py [--epochs 8] [--size-px 128] [--only step|processes|head]

The same network learns the same batches, which lie in memory, in turns: an epoch by a loop of six lines, an epoch by
`train.py`'s own job with everything on (MLflow, curves, checkpoints, progress line). The Lightning stack learns them
afterwards, in an environment of its own.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow import MlflowClient

from mammoscope.compose import compose_config
from mammoscope.data.batches import Batch, Batches, to_inputs
from mammoscope.jobs import train as train_job
from mammoscope.models.classifier import build_classifier
from mammoscope.tracking.journal import Journal
from mammoscope.tracking.run import MlflowTracker
from mammoscope.training import checkpoint
from mammoscope.training.checkpoint import Checkpoints
from mammoscope.training.losses import build_loss
from mammoscope.training.optimizer import build_optimizer

CHECKOUT = Path(__file__).resolve().parents[1]
PEER = ("lightning", "pytorch-lightning", "torchmetrics", "lightning-utilities")
TARGETS = {
    "step": "at least 0.97",
    "tracking": "below 1 %",
    "checkpoints": "below 1 %",
    "head": "at least 20",
    "processes": "at least 1.6",
}


def overrides(folder: Path, size_px: int, epochs: int) -> list[str]:
    return [
        "phantom.patients=320",
        f"store.root={folder}/store",
        f"tracking.uri=sqlite:///{folder}/mlflow.db",
        "tracking.register=never",
        "model=resnet18",
        "model.weights=none",
        f"image.height_px={size_px}",
        f"image.width_px={size_px}",
        f"trainer.epochs={epochs}",
        "trainer.batch_size=16",
        "trainer.device=cpu",
        "trainer.precision=fp32",
        "augment=none",
        "loss.pos_weight=1",
    ]


class InTurns:
    """Our job's training batches, out of memory; before each of its epochs the bare loop has one of its own."""

    def __init__(self, batches: Batches, bare: Callable[[list[Batch]], float]):
        self.images = batches.images
        whole = [batch for batch in batches.epoch(0) if len(batch.targets) == batch.of]
        self._batches = [replace(batch, of=None) for batch in whole if len(batch.targets) == len(whole[0].targets)]
        self._bare = bare
        self.ours_s: list[float] = []
        self.bare_s: list[float] = []

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def count(self) -> int:
        return sum(len(batch.targets) for batch in self._batches)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        self.bare_s.append(self._bare(self._batches))
        started = time.perf_counter()
        yield from self._batches
        self.ours_s.append(time.perf_counter() - started)  # asked for more: the last step is done

    def save(self, path: Path) -> None:
        images = torch.stack([to_inputs(batch.images, torch.device("cpu")) for batch in self._batches])
        targets = torch.stack([batch.targets for batch in self._batches])
        torch.save({"images": images.expand(-1, -1, 3, -1, -1).contiguous(), "targets": targets}, path)


def bare_loop(config: Any) -> Callable[[list[Batch]], float]:
    """An epoch of the loop that everybody writes; gives its seconds."""
    network, _ = build_classifier(config.model, config.image, config.loss, config.target, view=config.view)
    network.to(memory_format=torch.channels_last).train()
    optimizer, loss_of = build_optimizer(config.optimizer, network), build_loss(config.loss, [0, 1], np.ones(2))

    def epoch(batches: list[Batch]) -> float:
        started = time.perf_counter()
        for batch in batches:
            loss = loss_of(network(to_inputs(batch.images, torch.device("cpu"))), batch.targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.trainer.clip_norm)
            optimizer.step()
        return time.perf_counter() - started

    return epoch


class Cost:
    """Seconds of processor that calls take, by what they are for: in the training's thread, and in others."""

    def __init__(self) -> None:
        self.beside: dict[str, float] = {}
        self.within: dict[str, float] = {}

    def wrap(self, owner: Any, name: str, what: str) -> Callable[[], None]:
        whole = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            is_main = threading.current_thread() is threading.main_thread()
            clock = time.perf_counter if is_main else time.thread_time
            started = clock()
            try:
                return whole(*args, **kwargs)
            finally:
                told = self.within if is_main else self.beside
                told[what] = told.get(what, 0.0) + clock() - started

        setattr(owner, name, timed)
        return lambda: setattr(owner, name, whole)


@contextmanager
def costs() -> Iterator[Cost]:
    cost = Cost()
    undo = [
        cost.wrap(MlflowTracker, "metrics", "tracking"),
        cost.wrap(Journal, "unsent", "sending"),
        cost.wrap(Checkpoints, "keep", "checkpoints"),
        cost.wrap(Checkpoints, "keep_best", "checkpoints"),
        cost.wrap(checkpoint, "write_snapshot", "writing"),
    ]
    try:
        yield cost
    finally:
        for back in undo:
            back()


def in_turns(folder: Path, size_px: int, epochs: int) -> None:
    config = compose_config(overrides(folder, size_px, epochs))
    made: list[InTurns] = []
    build = train_job.train_batches

    def build_in_turns(*args: Any, **kwargs: Any) -> InTurns:
        made.append(InTurns(build(*args, **kwargs), bare_loop(config)))
        return made[-1]

    train_job.train_batches = build_in_turns  # type: ignore[assignment]
    with costs() as cost:
        train_job.train(config)
    train_job.train_batches = build
    (turns,) = made
    ours, bare = turns.ours_s[1:], turns.bare_s[1:]  # the first one warms up
    speeds = [turns.count / statistics.median(seconds) for seconds in (ours, bare)]
    ratio = statistics.median(b / o for o, b in zip(ours, bare, strict=True))
    print(f"\nstep: ours {speeds[0]:.1f}, bare {speeds[1]:.1f} images/s; ratio {ratio:.3f} ({TARGETS['step']})")
    whole = sum(turns.ours_s)
    print(f"an epoch of ours takes {statistics.median(ours):.1f} s")
    for what in ("tracking", "checkpoints"):
        print(f"{what}: {100 * cost.within.get(what, 0.0) / whole:.3f} % of the training's time ({TARGETS[what]})")
    beside = ", ".join(f"{what} {100 * seconds / whole:.2f} %" for what, seconds in sorted(cost.beside.items()))
    print(f"beside the training, processor time: {beside or 'none'}")
    turns.save(folder / "batches.pt")
    lightning = time_lightning(folder, config, epochs)
    if lightning is not None:
        print(
            f"Lightning's Trainer and MLflow logger: {lightning:.1f} images/s; ours {speeds[0] / lightning:.3f} of it"
        )


def time_lightning(folder: Path, config: Any, epochs: int) -> float | None:
    """Images a second, in an environment of its own that shares torch with ours; None where it cannot be installed."""
    python, uv = folder / "peer/bin/python", shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "-q", "--python", str(python), "--no-deps", *PEER]
    try:
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / "peer")], check=True)
        if subprocess.run([*install, "--system-certs"], capture_output=True).returncode:
            subprocess.run(install, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"Lightning: skipped, it cannot be installed ({error})")
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / f"peer/lib/{version}/site-packages/ours.pth").write_text(str(Path(np.__file__).parents[1]))
    told = {
        "batches": str(folder / "batches.pt"),
        "backbone": config.model.backbone,
        "lr": config.optimizer.lr,
        "weight_decay": config.optimizer.weight_decay,
        "clip_norm": config.trainer.clip_norm,
        "epochs": epochs,
        "threads": torch.get_num_threads(),
        "uri": f"sqlite:///{folder}/peer.db",
        "root": str(folder / "peer-runs"),
    }
    script = Path(__file__).parent / "peers" / "step_lightning.py"
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [python, script], input=json.dumps(told), capture_output=True, text=True, env=environment, cwd=folder
    )
    if ran.returncode:
        print(f"Lightning: skipped, it does not run here ({ran.stderr.strip().splitlines()[-1:]})")
        return None
    return statistics.median(json.loads(ran.stdout.splitlines()[-1]))


def train_py(folder: Path, name: str, launcher: list[str], threads: int, more: list[str]) -> MlflowClient:
    return ended(folder, name, begun(folder, name, launcher, threads, more))


def begun(folder: Path, name: str, launcher: list[str], threads: int, more: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    own = [f"tracking.uri=sqlite:///{folder}/{name}.db", f"hydra.run.dir={folder}/hydra-{name}"]
    command = [sys.executable, *launcher, str(CHECKOUT / "train.py"), *more, *own]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, env=environment, cwd=folder, **streams)


def ended(folder: Path, name: str, process: subprocess.Popen[str]) -> MlflowClient:
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{name}: exit {process.returncode}\n{told}")
    return MlflowClient(f"sqlite:///{folder}/{name}.db")


def history(client: MlflowClient, key: str) -> list[Any]:
    (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return sorted(client.get_metric_history(run.info.run_id, key), key=lambda point: point.step)


def processes(folder: Path, size_px: int, epochs: int) -> None:
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    more = overrides(folder, size_px, epochs)

    def speed(client: MlflowClient) -> float:
        return statistics.median(point.value for point in history(client, "epoch/train/images_per_s")[1:])

    one = speed(train_py(folder, "one", [], 1, more))
    both = speed(train_py(folder, "two", two, 1, more))
    strangers = [(name, begun(folder, name, [], 1, more)) for name in ("left", "right")]
    apart = sum(speed(ended(folder, name, process)) for name, process in strangers)
    print(
        f"two processes: {both:.1f} images/s, one of one thread {one:.1f}; {both / one:.2f}x ({TARGETS['processes']}); "
        f"two trainings at once that share nothing {apart:.1f}, {apart / one:.2f}x"
    )


def head(folder: Path, size_px: int) -> None:
    """Further epochs, by the times at which MLflow was told of them."""
    seconds = []
    for name, more in (("all", ["trainer.epochs=3"]), ("head", ["trainer.epochs=60", "model.trainable=head"])):
        lite = ["model=efficientnet_lite0", "model.weights=auto", *more]
        client = train_py(folder, name, [], torch.get_num_threads(), [*overrides(folder, size_px, 3), *lite])
        times = [point.timestamp / 1000 for point in history(client, "epoch/train/loss")]
        seconds.append((times[-1] - times[0]) / (len(times) - 1))
    print(
        f"a further epoch: all {seconds[0]:.2f} s, head {seconds[1]:.3f} s; {seconds[0] / seconds[1]:.0f}x "
        f"({TARGETS['head']})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--only", choices=("step", "processes", "head"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts = {
            "step": lambda: in_turns(folder, told.size_px, told.epochs),
            "processes": lambda: processes(folder, told.size_px, max(3, told.epochs // 2)),
            "head": lambda: head(folder, told.size_px),
        }
        for name, part in parts.items():
            if told.only in (None, name):
                part()


if __name__ == "__main__":
    main()
