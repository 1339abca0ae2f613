"""The same training in the stack of lightning-hydra-template (Lightning's Trainer and its MLflow logger), for
benchmarks/training.py; it runs in an environment of its own and imports none of our code.

Reads {"batches": file, "backbone": name, "lr": x, "weight_decay": x, "clip_norm": x, "epochs": n, "uri": tracking URI,
"root": folder} from standard input; the file holds images float32 (batches, size, 3, h, w) and targets (batches, size).
Prints the images a second of each epoch but the first.
"""

import json
import sys
import time

import lightning
import timm
import timm.optim
import torch
from lightning.pytorch.loggers import MLFlowLogger
from torch.nn import functional
from torch.utils.data import DataLoader


class Classifier(lightning.LightningModule):
    def __init__(self, told: dict):
        super().__init__()
        self.told = told
        self.net = timm.create_model(told["backbone"], num_classes=1).to(memory_format=torch.channels_last)

    def training_step(self, batch, _):
        images, targets = batch
        loss = functional.binary_cross_entropy_with_logits(self.net(images)[:, 0], targets)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True)  # as the template does
        return loss

    def configure_optimizers(self):
        told = self.told
        return timm.optim.create_optimizer_v2(self, opt="adamw", lr=told["lr"], weight_decay=told["weight_decay"])


class Stopwatch(lightning.Callback):
    def __init__(self, images: int):
        self.images, self.speeds = images, []

    def on_train_epoch_start(self, *_):
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_):
        self.speeds.append(self.images / (time.perf_counter() - self.started))


def main() -> None:
    told = json.load(sys.stdin)
    torch.set_num_threads(told["threads"])
    data = torch.load(told["batches"])
    # in a loader, for a list would be taken as many loaders
    batches = list(zip(data["images"], data["targets"], strict=True))
    watch = Stopwatch(data["targets"].numel())
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=told["epochs"],
        gradient_clip_val=told["clip_norm"],
        logger=MLFlowLogger(experiment_name="peer", tracking_uri=told["uri"]),
        callbacks=[watch],
        default_root_dir=told["root"],
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Classifier(told), train_dataloaders=DataLoader(batches, batch_size=None))
    print("\n" + json.dumps(watch.speeds[1:]))


if __name__ == "__main__":
    main()
