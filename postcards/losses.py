"""The training losses: contrastive for captions and pictures, cross-entropy for patches."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, softplus

from postcards.scenes import COLOURS, KINDS

MAX_COUNT = max(kind.max_count for kind in KINDS.values())
"""The highest count of any subject."""


def contrastive_loss(
    logits: torch.Tensor, truth: torch.Tensor, *, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the symmetric contrastive loss with any number of positives per row.

    ``logits`` and ``truth`` are (captions, pictures). Each positive pair competes with the
    negatives of its caption and with those of its picture, never with other positives. With one
    positive per row this is the loss of CLIP (Radford et al., 2021). With more it is the supervised
    contrastive loss (Khosla et al., 2020) without the other positives in the denominator.
    ``weights`` weigh the captions in the direction from captions to pictures.
    """
    return (_one_way(logits, truth, weights) + _one_way(logits.T, truth.T)) / 2


def similarity_loss(logits: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Return the contrastive loss between pictures, with neighbours as positives.

    ``logits`` and ``neighbours`` are (pictures, pictures), both symmetric. The diagonal is ignored.
    """
    itself = torch.eye(len(logits), dtype=torch.bool)
    return _one_way(logits.masked_fill(itself, -torch.inf), neighbours & ~itself)


def _one_way(
    logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean over rows of the mean over positives. Rows of one kind only are left out."""
    false = logits.masked_fill(truth, -torch.inf).logsumexp(dim=1, keepdim=True)
    misses = softplus(false - logits).masked_fill(~truth, 0)
    number = truth.sum(dim=1)
    counted = (number > 0) & (number < truth.shape[1])
    of_rows = misses.sum(dim=1)[counted] / number[counted]
    if weights is None:
        return of_rows.mean()
    return (of_rows * weights[counted]).sum() / weights[counted].sum()


class PatchClassifier(torch.nn.Module):
    """Classifies each patch of a picture: kind, colour and number of its subject.

    It exists in training only (token labelling). What patches encode is then available to the
    embedding of the picture.
    """

    PARTS = (len(KINDS) + 1, len(COLOURS) + 1, MAX_COUNT + 1)
    BACKGROUND = 0.15
    """The weight of a patch that shows no subject."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, sum(self.PARTS))

    def loss(self, patches: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of the three classifications.

        ``patches`` are features (pictures, patches, width). ``labels`` are those of
        ``pictures.patch_labels`` (pictures, patches, 3). Colour and number count only for patches
        with a subject.
        """
        kinds, *others = self.linear(patches).split(self.PARTS, dim=-1)
        weight = torch.ones(self.PARTS[0])
        weight[0] = self.BACKGROUND
        total = cross_entropy(kinds.flatten(0, 1), labels[..., 0].flatten(), weight=weight)
        shown = labels[..., 0] > 0
        for place, logits in enumerate(others, start=1):
            total = total + cross_entropy(logits[shown], labels[..., place][shown])
        return total / 3
