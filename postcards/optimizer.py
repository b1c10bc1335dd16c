"""Muon for the matrices of the towers, AdamW for all else.

Muon (Jordan et al., 2024) takes steps along the orthogonalised momentum. Torch's own computes
in bfloat16, which takes processors without it some fifty times longer than float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim import AdamW, Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import CLIPModel

ADAMW_SHARE = 0.4
"""Of Muon's learning rate that AdamW has."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


class Muon(Optimizer):
    """Momentum of matrices, orthogonalised, in float32; as long as AdamW's (Liu et al., 2025)."""

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
            # Matrices of one shape go together: many small products are as fast as a large one.
            for matrices in _by_shape(group["params"]):
                momenta = []
                for matrix in matrices:
                    gradient = matrix.grad
                    if gradient is None:
                        message = "Muon was asked to step before there was a gradient"
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

    By the quintic Newton-Schulz iteration.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
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
    """Return both, each with its share of the model's parameters; ``others`` go to AdamW."""
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
            lr=lr * ADAMW_SHARE,
            betas=(0.9, 0.98),
        ),
    )
