"""The program that measures a GPU, with a tiny model on the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console

from benchmarks.gpu import SMOKE, GpuFigures, main, measure, report, tiny_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_every_rate_is_measured(tmp_path: Path) -> None:
    figures = measure(tiny_checkpoint(tmp_path), "cpu", SMOKE)
    assert set(SMOKE.batches) == set(figures.pictures_by_batch) == set(figures.texts_by_batch)
    rates = [*figures.pictures_by_batch.values(), *figures.texts_by_batch.values()]
    assert all(rate > 0 for rate in (*rates, figures.pictures_from_jpeg, figures.matrix_limit))


def test_the_best_batch_is_the_fastest_one() -> None:
    figures = GpuFigures({1: 10.0, 8: 40.0, 64: 30.0}, {1: 1.0, 8: 2.0, 64: 3.0}, 5.0, 80.0)
    assert (8, 0.5) == (figures.best_batch, figures.share_of_limit)
    console = Console(record=True, width=200)
    report(figures, "a device", console)
    assert "Best batch 8; 0.5 of the measured matrix limit (80 pictures/s)" in console.export_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_machine_without_gpu_is_refused_with_the_way_out() -> None:
    with pytest.raises(SystemExit, match=r"no GPU with CUDA here.*--device cpu --smoke"):
        main([])
