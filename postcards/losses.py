"""What is minimised in training: contrast of captions and pictures, and patches that know."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, softplus

from postcards.scenes import COLOURS, KINDS

MOST = max(kind.most for kind in KINDS.values())
"""Of a subject that stand together."""


def contrastive_loss(
    logits: torch.Tensor, truth: torch.Tensor, *, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return how far true pairs are from standing above all false ones, both ways.

    ``logits`` and ``truth`` are (captions, pictures). Each true pair is held against the false
    ones of its caption, and against those of its picture; true pairs do not compete with each
    other. With one true pair a row this is the loss of CLIP (Radford et al., 2021); with more it
    is the supervised contrastive one (Khosla et al., 2020) without the other positives below the
    line. ``weights`` say how much each caption counts where it is held against pictures.
    """
    return (_one_way(logits, truth, weights) + _one_way(logits.T, truth.T)) / 2


def likeness_loss(logits: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """Return how far pictures that are alike are from being each other's nearest.

    ``logits`` and ``alike`` are (pictures, pictures), both symmetric; a picture is none of its own
    neighbours.
    """
    itself = torch.eye(len(logits), dtype=torch.bool)
    return _one_way(logits.masked_fill(itself, -torch.inf), alike & ~itself)


def _one_way(
    logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean over rows of the mean over a row's true pairs; rows of one truth alone do not count."""
    false = logits.masked_fill(truth, -torch.inf).logsumexp(dim=1, keepdim=True)
    misses = softplus(false - logits).masked_fill(~truth, 0)
    number = truth.sum(dim=1)
    counted = (number > 0) & (number < truth.shape[1])
    of_rows = misses.sum(dim=1)[counted] / number[counted]
    if weights is None:
        return of_rows.mean()
    return (of_rows * weights[counted]).sum() / weights[counted].sum()


class PatchReader(torch.nn.Module):
    """Names what each patch of a picture shows: its subject's kind, colour and number.

    It is there in training alone: what patches know, the embedding of the picture can gather.
    """

    PARTS = (len(KINDS) + 1, len(COLOURS) + 1, MOST + 1)
    BACKGROUND = 0.15
    """The weight of a patch that shows no subject."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, sum(self.PARTS))

    def loss(self, patches: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of the three, given features and ``pictures.label``'s.

        ``patches`` are (pictures, patches, width), ``labels`` (pictures, patches, 3). Colour and
        number are asked only where there is a subject.
        """
        kinds, *others = self.linear(patches).split(self.PARTS, dim=-1)
        weight = torch.ones(self.PARTS[0])
        weight[0] = self.BACKGROUND
        total = cross_entropy(kinds.flatten(0, 1), labels[..., 0].flatten(), weight=weight)
        shown = labels[..., 0] > 0
        for place, logits in enumerate(others, start=1):
            total = total + cross_entropy(logits[shown], labels[..., place][shown])
        return total / 3
