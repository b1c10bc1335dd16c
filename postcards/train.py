"""Train the model of the box: ``python -m postcards.train``, or ``make train-postcards``.

A run that was stopped goes on where it was, and ends as it would have: every batch is a function of
its number, and a checkpoint holds all else.
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
from postcards.facts import FACTS, weights
from postcards.losses import PatchReader, contrastive_loss, likeness_loss
from postcards.optimizer import optimizers
from postcards.pictures import load_pictures, sources_digest, training_scenes
from postcards.tokens import caption_words, make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPModel, CLIPTokenizer

    from postcards.batches import Batch

WORK = Path("build", "postcards")
"""Pictures and checkpoints of a run."""

NEIGHBOURS = 0.5
"""The weight of the loss between pictures."""

CHECKPOINT_STEPS = 100

CUTS = (0, 3 / 8, 5 / 8, 13 / 16, 15 / 16, 1)
"""Where the captions of a batch, the shortest first, are parted, so that few are padded much."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run depends on, beside the code of this package."""

    pictures: int = 80_000
    steps: int = 2_700
    batch: int = 128
    learning_rate: float = 5e-3
    """Of Muon."""

    warm_up: int = 60
    """Steps in which the learning rate rises; it falls along a cosine after that."""

    weight_decay: float = 0.1
    temperature: float = 0.05
    """To begin with; it is learnt."""

    basics: int = 800
    """Steps before pictures are held against pictures too, and facts get their weights: what is
    alike means little to whom all is new."""

    details: int = 1_700
    """Steps before more captions are of a colour or a number alone: words for these come last."""

    seed: int = 0

    def pace(self, step: int) -> float:
        """Return the share of the learning rate that a step has."""
        fallen = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return min(1.0, (step + 1) / self.warm_up) * max(0.01, fallen)


class Trainer:
    """A model that learns, with all that it needs for it and leaves behind at the end.

    The contrastive loss is taken twice: with captions, as CLIP does, and with one free vector for
    each fact (a proxy, Movshovitz-Attias et al., 2017), which tells the vision tower what to look
    for while the text tower cannot read yet. Patches also name what they show (token labelling,
    Jiang et al., 2021).
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
            self.reader = PatchReader(self.model.visual_projection.in_features)
        self._weights = torch.from_numpy(weights())
        self._end = int(tokenizer.eos_token_id)
        self._optimizers = optimizers(
            self.model,
            [self.proxies, *self.reader.parameters()],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]

    def learn(self, batch: Batch) -> float:
        """Take one step, and return the contrastive loss of captions before it."""
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * self.recipe.pace(self.step)
        pictures, patches = self._look(batch.pixels)
        captions = self._read(batch.texts)
        facts = normalize(self.proxies, dim=-1)
        scale = self.model.logit_scale.exp()
        loss = contrastive_loss(scale * captions @ pictures.T, batch.truth)
        advanced = self.step >= self.recipe.basics
        weighed = self._weights if advanced else None
        total = (
            loss
            + contrastive_loss(scale * facts @ pictures.T, batch.facts, weights=weighed)
            + self.reader.loss(patches, batch.labels)
        )
        if advanced:
            likeness = scale * pictures @ pictures.T
            total = total + NEIGHBOURS * likeness_loss(likeness, batch.alike)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch types it not
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))
        self.step += 1
        return loss.item()

    def save(self, file: Path) -> None:
        """Keep all that a run needs to go on: whole, or not at all."""
        state = {
            "recipe": asdict(self.recipe),
            "sources": sources_digest(),
            "step": self.step,
            "model": self.model.state_dict(),
            "proxies": self.proxies.data,
            "reader": self.reader.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        begun = file.with_suffix(".begun")
        torch.save(state, begun)
        begun.replace(file)

    def load(self, file: Path) -> bool:
        """Go on from a checkpoint, if there is one of the same recipe and the same code."""
        if not file.exists():
            return False
        state = torch.load(file, weights_only=True)
        if (state["recipe"], state.get("sources")) != (asdict(self.recipe), sources_digest()):
            return False
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.proxies.data.copy_(state["proxies"])
        self.reader.load_state_dict(state["reader"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        return True

    def _look(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return embeddings (pictures, dimensions), and features of patches."""
        hidden = self.model.vision_model(pixel_values=pixels)
        embeddings = self.model.visual_projection(hidden.pooler_output)
        return normalize(embeddings, dim=-1), hidden.last_hidden_state[:, 1:]

    def _read(self, texts: Sequence[list[int]]) -> torch.Tensor:
        """Return embeddings (texts, dimensions), each part of about one length by itself."""
        cuts = [round(len(texts) * cut) for cut in CUTS]
        parts = [
            self.model.get_text_features(input_ids=padded(texts[start:end], self._end))
            for start, end in pairwise(cuts)
            if start < end
        ]
        return normalize(torch.cat([part.pooler_output for part in parts]), dim=-1)


def train(recipe: Recipe, *, folder: Path, work: Path, console: Console) -> None:
    """Train as the recipe says, and write the model into a folder."""
    tokenizer = make_tokenizer(caption_words())
    trainer = Trainer(recipe, tokenizer)
    checkpoint = work / "checkpoint.pt"
    if trainer.load(checkpoint):
        console.print(f"Going on after step {trainer.step:,} of {recipe.steps:,}.")
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
    # What is done is done: the next run begins anew.
    checkpoint.unlink(missing_ok=True)


def main() -> None:
    """Train with the recipe, or with another one that the command line gives."""
    recipe = Recipe()
    parser = argparse.ArgumentParser(prog="python -m postcards.train", description=__doc__)
    for name, default in asdict(recipe).items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default)
    parser.add_argument("--folder", type=Path, default=MODEL, help="where the model goes")
    parser.add_argument("--work", type=Path, default=WORK, help="pictures and checkpoints")
    arguments = vars(parser.parse_args())
    folder, work = arguments.pop("folder"), arguments.pop("work")
    train(replace(recipe, **arguments), folder=folder, work=work, console=Console(stderr=True))


if __name__ == "__main__":
    main()
