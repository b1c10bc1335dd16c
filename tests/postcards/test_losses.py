"""The losses equal the formulas of their papers, and Muon minimises."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from postcards.losses import PatchClassifier, contrastive_loss, similarity_loss
from postcards.optimizer import Muon, orthogonalise


def logits_of(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))


def test_with_one_positive_per_row_the_loss_is_that_of_clip() -> None:
    logits = logits_of(6, 6)
    clip = (cross_entropy(logits, torch.arange(6)) + cross_entropy(logits.T, torch.arange(6))) / 2
    assert clip.item() == pytest.approx(contrastive_loss(logits, torch.eye(6).bool()).item())


def test_positives_do_not_compete_with_each_other() -> None:
    truth = torch.tensor([[True, True, False], [False, False, True]])
    apart = torch.where(truth, 40.0, -40.0)
    uneven = apart.clone()
    uneven[0, 0] = 20.0
    assert contrastive_loss(apart, truth).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(uneven, truth).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(-apart, truth).item() > 10


def test_rows_with_only_positives_or_only_negatives_are_left_out() -> None:
    truth = torch.tensor([[True, False], [False, True]])
    logits = logits_of(2, 2)
    more = torch.cat([logits, torch.zeros(1, 2)])
    none = torch.cat([truth, torch.zeros(1, 2).bool()])
    # A false caption is a negative of each picture, and has no row of its own in the loss.
    assert contrastive_loss(more, none) > contrastive_loss(logits, truth)
    everything = torch.ones(3, 2).bool()
    assert contrastive_loss(more, everything).isnan()


def test_weights_scale_the_loss_of_each_caption() -> None:
    logits, truth = logits_of(4, 5), torch.eye(4, 5).bool()
    even = contrastive_loss(logits, truth, weights=torch.full((4,), 3.0))
    assert contrastive_loss(logits, truth).item() == pytest.approx(even.item())
    weights = torch.tensor([1.0, 0, 0, 0])
    first = cross_entropy(logits[:1], torch.tensor([0]))
    unweighed = 2 * contrastive_loss(logits, truth) - _over_captions(logits, truth)
    expected = (first + unweighed) / 2
    assert expected.item() == pytest.approx(
        contrastive_loss(logits, truth, weights=weights).item(), rel=1e-5
    )


def _over_captions(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits, truth.float().argmax(dim=1))


def test_neighbours_are_drawn_together_and_a_picture_is_not_its_own() -> None:
    neighbours = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    near = torch.where(neighbours, 30.0, -30.0).requires_grad_()
    loss = similarity_loss(near, neighbours)
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert near.grad is not None
    assert near.grad.isfinite().all()
    assert (near.grad.diagonal() == 0).all()
    assert similarity_loss(-near, neighbours).item() > 10


def test_a_patch_classifier_learns_its_labels() -> None:
    torch.manual_seed(0)
    classifier = PatchClassifier(8)
    patches = torch.randn(2, 4, 8)
    labels = torch.tensor([[[3, 1, 2], [0, 0, 0], [0, 0, 0], [5, 2, 1]]] * 2)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.1)
    first = classifier.loss(patches, labels)
    for _ in range(60):
        optimizer.zero_grad()
        classifier.loss(patches, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert classifier.loss(patches, labels) < first / 4


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8, 32), (2, 32, 8)])
def test_orthogonalised_matrices_have_singular_values_near_one(
    shape: tuple[int, int, int],
) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_muon_minimises_and_refuses_a_step_without_gradients() -> None:
    torch.manual_seed(0)
    goal = torch.randn(6, 6)
    matrix = torch.nn.Parameter(torch.zeros(6, 6))
    muon = Muon([matrix], lr=0.05)
    with pytest.raises(ValueError, match="Muon needs gradients"):
        muon.step()
    for _ in range(200):
        muon.zero_grad()
        (matrix - goal).square().sum().backward()  # type: ignore[no-untyped-call]
        muon.step()
    assert (matrix - goal).square().mean() < 0.05
