"""Muon for the matrices of both towers, AdamW for all other parameters.

Muon (Jordan et al., 2024) takes steps along the orthogonalised momentum. The Muon of torch computes
in bfloat16, which is about fifty times slower than float32 on CPUs without bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim import AdamW, Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import CLIPModel

ADAMW_LEARNING_RATE_FACTOR = 0.4
"""The learning rate of AdamW as a factor of Muon's."""

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(Optimizer):
    """Muon in float32, with steps scaled to the length of AdamW's (Liu et al., 2025)."""

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # no closure
        """Take one step."""
        for group in self.param_groups:
            # Batched by shape: one batched product is faster than many small products.
            for matrices in _by_shape(group["params"]):
                momenta = []
                for matrix in matrices:
                    gradient = matrix.grad
                    if gradient is None:
                        message = "Muon needs gradients; call backward() before step()"
                        raise ValueError(message)
                    buffer = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                    buffer.lerp_(gradient, 1 - group["momentum"])
                    momenta.append(gradient.lerp(buffer, group["momentum"]))
                directions = orthogonalise(torch.stack(momenta))
                length = 0.2 * max(directions.shape[1:]) ** 0.5 * group["lr"]
                for matrix, direction in zip(matrices, directions, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(direction, alpha=-length)


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """Bring all singular values of matrices (n, rows, columns) near 1.

    Uses the quintic Newton-Schulz iteration.
    """
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _by_shape(matrices: Iterable[torch.nn.Parameter]) -> list[list[torch.nn.Parameter]]:
    shapes: dict[torch.Size, list[torch.nn.Parameter]] = {}
    for matrix in matrices:
        shapes.setdefault(matrix.shape, []).append(matrix)
    return list(shapes.values())


def optimizers(
    model: CLIPModel,
    others: Iterable[torch.nn.Parameter],
    *,
    lr: float,
    weight_decay: float,
) -> tuple[Muon, AdamW]:
    """Return both optimizers for the model. AdamW also gets the parameters in ``others``."""
    matrices, decayed, rest = [], [], list(others)
    for name, parameter in model.named_parameters():
        if ".encoder.layers." in name and parameter.ndim == 2:
            matrices.append(parameter)
        elif parameter.ndim > 1 and "embedding" not in name:
            decayed.append(parameter)
        else:
            rest.append(parameter)
    return (
        Muon(matrices, lr=lr, weight_decay=weight_decay),
        AdamW(
            [
                {"params": decayed, "weight_decay": weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ],
            lr=lr * ADAMW_LEARNING_RATE_FACTOR,
            betas=(0.9, 0.98),
        ),
    )
