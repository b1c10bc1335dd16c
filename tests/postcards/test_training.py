"""Training: repeatable and resumable, and its model loads like any other."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from domain.entities.images import Pixels
from infra.clip.encoder import ClipEncoder
from postcards import train as training
from postcards.batches import DETAIL_CAPTIONS_PER_BATCH, Batches
from postcards.painting.postcard import draw
from postcards.pictures import load_pictures, sources_digest, training_scenes
from postcards.train import Recipe, Trainer, train
from tests.checkpoints import caption_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(pictures=48, steps=5, batch=16, warm_up=1, basics=2, details=3)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    load_pictures(pictures_of(folder), RECIPE.pictures, workers=1)
    return folder


def pictures_of(work: Path) -> Path:
    return work / f"pictures-48-{sources_digest()}.npy"


def run(folder: Path, work: Path, recipe: Recipe = RECIPE) -> tuple[dict[str, torch.Tensor], str]:
    printed = io.StringIO()
    train(recipe, folder=folder, work=work, console=Console(file=printed, width=100))
    return load_file(folder / "model.safetensors"), printed.getvalue()


def test_a_stopped_and_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 2)
    whole, _ = run(tmp_path / "whole", work)
    assert not (work / "checkpoint.pt").exists()

    learn = Trainer.learn
    calls = 0

    def stopping(self: Trainer, batch: object) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return learn(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "learn", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", work)
    assert not (tmp_path / "stopped").exists()
    monkeypatch.setattr(Trainer, "learn", learn)
    resumed, printed = run(tmp_path / "stopped", work)

    assert "Resuming after step 2 of 5." in printed
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_another_recipe_or_other_code_does_not_resume_from_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = caption_tokenizer()
    checkpoint = tmp_path / "checkpoint.pt"
    Trainer(RECIPE, tokenizer).save(checkpoint)
    assert Trainer(RECIPE, tokenizer).load(checkpoint)
    assert not Trainer(replace(RECIPE, seed=1), tokenizer).load(checkpoint)
    assert not Trainer(RECIPE, tokenizer).load(tmp_path / "none.pt")
    monkeypatch.setattr(training, "sources_digest", lambda: "other")
    assert not Trainer(RECIPE, tokenizer).load(checkpoint)


def test_training_steps_lower_the_loss(work: Path) -> None:
    recipe = replace(RECIPE, steps=40, basics=30)
    trainer = Trainer(recipe, caption_tokenizer())
    scenes = training_scenes(recipe.pictures)
    pictures = load_pictures(pictures_of(work), 48)
    batches = Batches(scenes, pictures, size=recipe.batch, seed=0, details_from=30)
    losses = [trainer.learn(batches[0]) for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_batch_depends_on_its_number_only(work: Path) -> None:
    pictures = load_pictures(pictures_of(work), 48)
    scenes = training_scenes(48)
    batches = Batches(scenes, pictures, size=16, seed=0, details_from=6)
    again = Batches(scenes, pictures, size=16, seed=0, details_from=6)[2]
    batch = batches[2]
    assert batch.texts == again.texts
    assert torch.equal(batch.pixels, again.pixels)
    assert not torch.equal(batch.pixels, batches[3].pixels)
    assert (len(batch.texts), 16) == batch.truth.shape
    assert all(len(one) <= len(other) for one, other in pairwise(batch.texts))
    # Every picture has captions that are true of it, and near misses that are not.
    assert batch.truth.any(dim=0).all()
    assert not batch.truth.all(dim=1).any()
    assert torch.equal(batch.neighbours, batch.neighbours.T)
    assert len(batches[6].texts) == len(batch.texts) + DETAIL_CAPTIONS_PER_BATCH


def test_a_cache_with_another_number_of_pictures_is_refused(work: Path) -> None:
    with pytest.raises(ValueError, match="holds 48 pictures, not 40; remove it"):
        load_pictures(pictures_of(work), 40)


async def test_the_command_writes_a_model_that_loads_like_any_other(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--pictures", "48", "--steps", "2", "--batch", "16", "--basics", "1"]
    folder = tmp_path / "new" / "model"
    monkeypatch.setattr(
        sys, "argv", ["train", *arguments, "--folder", str(folder), "--work", str(work)]
    )

    training.main()

    assert sum(file.stat().st_size for file in folder.iterdir()) < 12_000_000
    _, picture = draw(1, (90, 60))
    async with ClipEncoder.open(str(folder)) as encoder:
        assert encoder.model.dimensions == 192
        [text] = await encoder.encode_texts(["a lighthouse"])
        [image] = await encoder.encode_images([Pixels(90, 60, picture.tobytes())])
    assert len(text) == len(image) == 192
