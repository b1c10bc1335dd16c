"""A second model that knows postcards: the bundled model with slightly changed weights."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from pathlib import Path

SHARE = 0.02
"""How much of a weight is noise: rankings stay nearly the same."""


def second_model(model: Path, folder: Path, *, seed: int = 0) -> Path:
    """Write a model to ``folder`` that is another by its digest."""
    shutil.copytree(model, folder)
    file = folder / "model.safetensors"
    luck = torch.Generator().manual_seed(seed)
    weights = {
        name: weight + SHARE * weight.std() * torch.randn(weight.shape, generator=luck)
        if weight.is_floating_point() and weight.numel() > 1
        else weight
        for name, weight in load_file(file).items()
    }
    save_file(weights, file, metadata={"format": "pt"})
    return folder
