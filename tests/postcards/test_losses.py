"""What is minimised, against what the papers say, and the steps that are taken towards it."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from postcards.losses import PatchReader, contrastive_loss, likeness_loss
from postcards.optimizer import Muon, orthogonalise


def logits_of(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))


def test_with_one_true_pair_a_row_it_is_the_loss_of_clip() -> None:
    logits = logits_of(6, 6)
    clip = (cross_entropy(logits, torch.arange(6)) + cross_entropy(logits.T, torch.arange(6))) / 2
    assert clip.item() == pytest.approx(contrastive_loss(logits, torch.eye(6).bool()).item())


def test_true_pairs_do_not_compete_with_each_other() -> None:
    truth = torch.tensor([[True, True, False], [False, False, True]])
    apart = torch.where(truth, 40.0, -40.0)
    uneven = apart.clone()
    uneven[0, 0] = 20.0
    assert contrastive_loss(apart, truth).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(uneven, truth).item() == pytest.approx(0, abs=1e-6)
    assert contrastive_loss(-apart, truth).item() > 10


def test_captions_true_of_all_or_of_none_count_for_nothing() -> None:
    truth = torch.tensor([[True, False], [False, True]])
    logits = logits_of(2, 2)
    more = torch.cat([logits, torch.zeros(1, 2)])
    none = torch.cat([truth, torch.zeros(1, 2).bool()])
    # A false caption stands beside the true ones of each picture, and pulls towards no picture.
    assert contrastive_loss(more, none) > contrastive_loss(logits, truth)
    everything = torch.ones(3, 2).bool()
    assert contrastive_loss(more, everything).isnan()


def test_weights_say_how_much_a_caption_counts() -> None:
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
    alike = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    near = torch.where(alike, 30.0, -30.0).requires_grad_()
    loss = likeness_loss(near, alike)
    loss.backward()  # type: ignore[no-untyped-call]  # torch types it not
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert near.grad is not None
    assert near.grad.isfinite().all()
    assert (near.grad.diagonal() == 0).all()
    assert likeness_loss(-near, alike).item() > 10


def test_a_reader_of_patches_learns_what_they_show() -> None:
    torch.manual_seed(0)
    reader = PatchReader(8)
    patches = torch.randn(2, 4, 8)
    labels = torch.tensor([[[3, 1, 2], [0, 0, 0], [0, 0, 0], [5, 2, 1]]] * 2)
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.1)
    first = reader.loss(patches, labels)
    for _ in range(60):
        optimizer.zero_grad()
        reader.loss(patches, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert reader.loss(patches, labels) < first / 4


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8, 32), (2, 32, 8)])
def test_orthogonalised_matrices_have_singular_values_near_one(
    shape: tuple[int, int, int],
) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_muon_goes_downhill_and_refuses_to_step_blindly() -> None:
    torch.manual_seed(0)
    goal = torch.randn(6, 6)
    matrix = torch.nn.Parameter(torch.zeros(6, 6))
    muon = Muon([matrix], lr=0.05)
    with pytest.raises(ValueError, match="before there was a gradient"):
        muon.step()
    for _ in range(200):
        muon.zero_grad()
        (matrix - goal).square().sum().backward()  # type: ignore[no-untyped-call]
        muon.step()
    assert (matrix - goal).square().mean() < 0.05
