"""The code of a registered model: the one file that runs when the model is loaded. It imports nothing of mammoscope.

Weights come from a safetensors file and facts from a JSON file beside it; nothing is unpickled.
Research use only. Not a medical device; never a diagnosis.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import timm
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from safetensors.torch import load_file

FULL_SCALE = 65535
AT_ONCE = 32  # images a forward pass


class PackagedModel(PythonModel):
    """Prepared images -> malignancy scores.

    Input: uint16 (n, height_px, width_px), prepared as the facts' preprocessing hash says; where the facts name views,
    (n, views, height_px, width_px), a view that is missing being 0 all over. Output: a table of n rows, `malignancy`
    (score in [0, 1]) and `called_malignant` (score at or above the threshold chosen on validation); where there are
    more classes than benign and malignant, `probability_<class>` for each, of which malignancy is a sum.
    """

    def load_context(self, context: PythonModelContext) -> None:
        self.facts: dict[str, Any] = json.loads(Path(context.artifacts["facts"]).read_text())
        network = timm.create_model(
            self.facts["backbone"],
            pretrained=False,
            in_chans=1,
            num_classes=0 if self.facts["fusion"] else self.facts["num_classes"],  # 0: it ends in its features
            **self.facts["model_kwargs"],
        )
        weights = load_file(context.artifacts["weights"])
        self.fusion = {name: weights.pop(name) for name in list(weights) if name.startswith("fusion.")}
        network.load_state_dict(weights)
        self.network = network.eval()

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        images = np.asarray(model_input)
        views = [len(self.facts["views"])] if self.facts["views"] else []
        size = (*views, self.facts["height_px"], self.facts["width_px"])
        if images.ndim != len(size) + 1 or images.shape[1:] != size or images.dtype != np.uint16:
            raise ValueError(
                f"images are {images.dtype} {images.shape}; allowed: uint16 (n, {', '.join(map(str, size))})"
            )
        if views and not (seen := images.any(axis=(1, 2, 3))).all():
            raise ValueError(f"row {seen.argmin()} has no view at all: every image of it is 0; allowed: one or more")
        classes = self.facts["classes"]
        batches = [self._probabilities(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
        probabilities = np.concatenate(batches) if batches else np.empty((0, len(classes)))
        malignant = [classes.index(name) for name in self.facts["malignant"]]
        malignancy = probabilities[:, malignant].sum(axis=1).clip(0, 1)
        table = pd.DataFrame({"malignancy": malignancy, "called_malignant": malignancy >= self.facts["threshold"]})
        if len(classes) > 2:
            table[[f"probability_{name}" for name in classes]] = probabilities
        return table

    @torch.inference_mode()
    def _probabilities(self, images: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(images.astype(np.float32) / FULL_SCALE)
        logits = self._logits(pixels)
        if self.facts["average_flips"]:
            logits = (logits + self._logits(pixels.flip(-2))) / 2
        if logits.shape[1] > 1:
            return logits.softmax(dim=1).double().numpy()
        malignant = logits.sigmoid()
        return torch.cat([1 - malignant, malignant], dim=1).double().numpy()

    def _logits(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.facts["scales"]:
            pixels = self._at_scales(pixels)
        return self._fused(pixels) if self.fusion else self._network(pixels)

    def _at_scales(self, pixels: torch.Tensor) -> torch.Tensor:
        """(rows, height, width) -> (rows, scales, h, w): around the centre, all at the size of the smallest."""
        height, width = pixels.shape[-2:]
        sizes = [(round(scale * height), round(scale * width)) for scale in self.facts["scales"]]
        looks = []
        for rows, columns in sizes:
            top, left = (height - rows) // 2, (width - columns) // 2
            look = pixels[:, None, top : top + rows, left : left + columns]
            if (rows, columns) != min(sizes):
                look = torch.nn.functional.interpolate(
                    look, min(sizes), mode="bilinear", antialias=True, align_corners=False
                )
            looks.append(look)
        return torch.cat(looks, dim=1)

    def _network(self, pixels: torch.Tensor) -> torch.Tensor:
        """(images, height, width) -> logits or, before a fusion, features."""
        out: torch.Tensor = self.network((pixels.unsqueeze(1) - self.facts["mean"]) / self.facts["std"])
        return out

    def _fused(self, pixels: torch.Tensor) -> torch.Tensor:
        """(rows, views, height, width) -> logits; a missing view stands in with the features of the other one."""
        there = pixels.flatten(2).amax(dim=2) > 0
        filled = torch.where(there[..., None, None], pixels, pixels.amax(dim=1, keepdim=True))
        features = self._network(filled.flatten(0, 1)).unflatten(0, tuple(there.shape))
        if self.facts["fusion"] == "concatenation":
            features = torch.where(there[..., None], features, features + self.fusion["fusion.absent"]).flatten(1)
        elif self.facts["fusion"] == "attention":
            worth = features @ self.fusion["fusion.attention.weight"].T
            features = (worth.masked_fill(~there[..., None], -torch.inf).softmax(dim=1) * features).sum(dim=1)
        else:
            features = features.mean(dim=1)
        return torch.nn.functional.linear(
            features, self.fusion["fusion.head.weight"], self.fusion.get("fusion.head.bias")
        )


set_model(PackagedModel())
