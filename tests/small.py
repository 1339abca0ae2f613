"""What makes a run one of seconds."""

from pathlib import Path
from typing import Final

SMALL: Final = (
    "store.workers=1",
    "split.validation_fraction=0.4",
    "model=timm",
    "model.backbone=resnet10t",
    "image.height_px=32",
    "image.width_px=32",
    "trainer.epochs=2",
    "trainer.batch_size=16",
    "trainer.device=cpu",
)


def small_run(phantom_root: Path, store_root: Path, home: Path) -> list[str]:
    """Overrides, with its places."""
    return [
        f"source.root={phantom_root}",
        f"store.root={store_root}",
        f"tracking.uri=sqlite:///{home}/mlflow.db",
        f"tracking.home={home}",
        *SMALL,
    ]
