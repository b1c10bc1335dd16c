"""Trains the bundled model: ``python -m postcards.train``, or ``make train-postcards``.

A stopped run resumes from its last checkpoint and ends with the same weights: a batch depends on
its number only, and the checkpoint has all other state.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.nn.functional import normalize

from postcards import MODEL
from postcards.architecture import make_model, save
from postcards.batches import Batches, padded
from postcards.facts import FACTS, fact_weights
from postcards.losses import PatchClassifier, contrastive_loss, similarity_loss
from postcards.optimizer import optimizers
from postcards.pictures import load_pictures, sources_digest, training_scenes
from postcards.tokens import caption_words, make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPModel, CLIPTokenizer

    from postcards.batches import Batch

WORK_FOLDER = Path("build", "postcards")
"""The default folder for pictures and checkpoints of a run."""

SIMILARITY_LOSS_WEIGHT = 0.5
"""The weight of the contrastive loss between pictures."""

CHECKPOINT_STEPS = 100

TEXT_GROUP_BOUNDS = (0, 3 / 8, 5 / 8, 13 / 16, 15 / 16, 1)
"""Where the captions of a batch, sorted by length, are split into groups with little padding."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The hyperparameters of a run."""

    pictures: int = 80_000
    steps: int = 2_700
    batch: int = 128
    learning_rate: float = 5e-3
    """The peak learning rate of Muon."""

    warm_up: int = 60
    """Steps of linear warm-up. A cosine decay follows."""

    weight_decay: float = 0.1
    temperature: float = 0.05
    """The initial temperature. It is learnt."""

    basics: int = 800
    """Steps before the loss between pictures and the weights of facts are added. Early in training
    the embeddings are too poor for them."""

    details: int = 1_700
    """Steps before captions of a colour or a number only are added. The model learns these last."""

    seed: int = 0

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor of the learning rate at a step: warm-up, then cosine decay."""
        decay = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return min(1.0, (step + 1) / self.warm_up) * max(0.01, decay)


class Trainer:
    """A model in training, with its optimizers and with parameters that exist in training only.

    The contrastive loss has two terms: pictures with captions, as in CLIP, and pictures with one
    free vector for each fact (a proxy, Movshovitz-Attias et al., 2017). Proxies train the vision
    tower while the embeddings of captions are still poor. Patches are also classified (token
    labelling, Jiang et al., 2021).
    """

    def __init__(self, recipe: Recipe, tokenizer: CLIPTokenizer) -> None:
        self.recipe = recipe
        self.step = 0
        self.model: CLIPModel = make_model(tokenizer, seed=recipe.seed)
        self.model.logit_scale.data.fill_(math.log(1 / recipe.temperature))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            width = self.model.visual_projection.out_features
            self.proxies = torch.nn.Parameter(torch.randn(len(FACTS), width) * width**-0.5)
            self.patch_classifier = PatchClassifier(self.model.visual_projection.in_features)
        self._weights = torch.from_numpy(fact_weights())
        self._end = int(tokenizer.eos_token_id)
        self._optimizers = optimizers(
            self.model,
            [self.proxies, *self.patch_classifier.parameters()],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]

    def learn(self, batch: Batch) -> float:
        """Take one step, and return the contrastive loss of captions before the step."""
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * self.recipe.learning_rate_factor(self.step)
        pictures, patches = self._encode_pictures(batch.pixels)
        captions = self._encode_captions(batch.texts)
        facts = normalize(self.proxies, dim=-1)
        scale = self.model.logit_scale.exp()
        loss = contrastive_loss(scale * captions @ pictures.T, batch.truth)
        advanced = self.step >= self.recipe.basics
        weights = self._weights if advanced else None
        total = (
            loss
            + contrastive_loss(scale * facts @ pictures.T, batch.facts, weights=weights)
            + self.patch_classifier.loss(patches, batch.labels)
        )
        if advanced:
            similarities = scale * pictures @ pictures.T
            total = total + SIMILARITY_LOSS_WEIGHT * similarity_loss(similarities, batch.neighbours)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))
        self.step += 1
        return loss.item()

    def save(self, file: Path) -> None:
        """Write a checkpoint atomically."""
        state = {
            "recipe": asdict(self.recipe),
            "sources": sources_digest(),
            "step": self.step,
            "model": self.model.state_dict(),
            "proxies": self.proxies.data,
            "patch_classifier": self.patch_classifier.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        unfinished = file.with_suffix(".begun")
        torch.save(state, unfinished)
        unfinished.replace(file)

    def load(self, file: Path) -> bool:
        """Resume from a checkpoint. Return False without one of this recipe and this code."""
        if not file.exists():
            return False
        state = torch.load(file, weights_only=True)
        if (state["recipe"], state.get("sources")) != (asdict(self.recipe), sources_digest()):
            return False
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.proxies.data.copy_(state["proxies"])
        self.patch_classifier.load_state_dict(state["patch_classifier"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        return True

    def _encode_pictures(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return embeddings (pictures, dimensions) and features (pictures, patches, width)."""
        hidden = self.model.vision_model(pixel_values=pixels)
        embeddings = self.model.visual_projection(hidden.pooler_output)
        return normalize(embeddings, dim=-1), hidden.last_hidden_state[:, 1:]

    def _encode_captions(self, texts: Sequence[list[int]]) -> torch.Tensor:
        """Return embeddings (texts, dimensions): one forward pass per group of similar length."""
        cuts = [round(len(texts) * cut) for cut in TEXT_GROUP_BOUNDS]
        parts = [
            self.model.get_text_features(input_ids=padded(texts[start:end], self._end))
            for start, end in pairwise(cuts)
            if start < end
        ]
        return normalize(torch.cat([part.pooler_output for part in parts]), dim=-1)


def train(recipe: Recipe, *, folder: Path, work: Path, console: Console) -> None:
    """Train a model with these hyperparameters, and write it into a folder."""
    tokenizer = make_tokenizer(caption_words())
    trainer = Trainer(recipe, tokenizer)
    checkpoint = work / "checkpoint.pt"
    if trainer.load(checkpoint):
        console.print(f"Resuming after step {trainer.step:,} of {recipe.steps:,}.")
    scenes = training_scenes(recipe.pictures)
    file = work / f"pictures-{recipe.pictures}-{sources_digest()}.npy"
    pictures = load_pictures(file, recipe.pictures)
    batches = Batches(
        scenes, pictures, size=recipe.batch, seed=recipe.seed, details_from=recipe.details
    )
    columns = (
        TextColumn("Training, loss {task.fields[loss]:.3f}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    smooth = 0.0
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(1) as ahead:
        task = progress.add_task("", total=recipe.steps, completed=trainer.step, loss=math.nan)
        coming = ahead.submit(batches.__getitem__, trainer.step)
        while trainer.step < recipe.steps:
            batch = coming.result()
            coming = ahead.submit(batches.__getitem__, trainer.step + 1)
            loss = trainer.learn(batch)
            smooth = smooth * 0.98 + loss * 0.02 if smooth else loss
            progress.update(task, advance=1, loss=smooth)
            if trainer.step % CHECKPOINT_STEPS == 0:
                trainer.save(checkpoint)
                console.print(f"step {trainer.step:,}: loss {smooth:.3f}", highlight=False)
    save(trainer.model, tokenizer, folder)
    # The next run starts from the beginning.
    checkpoint.unlink(missing_ok=True)


def main() -> None:
    """Train with the default hyperparameters, or with those of the command line."""
    recipe = Recipe()
    parser = argparse.ArgumentParser(prog="python -m postcards.train", description=__doc__)
    for name, default in asdict(recipe).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default)
    parser.add_argument("--folder", type=Path, default=MODEL, help="the folder for the model")
    parser.add_argument(
        "--work", type=Path, default=WORK_FOLDER, help="the folder for pictures and checkpoints"
    )
    arguments = vars(parser.parse_args())
    folder, work = arguments.pop("folder"), arguments.pop("work")
    train(replace(recipe, **arguments), folder=folder, work=work, console=Console(stderr=True))


if __name__ == "__main__":
    main()
