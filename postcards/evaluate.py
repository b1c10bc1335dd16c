"""Evaluates a model on held-out postcards, with combinations that were never in training.

``python -m postcards.evaluate``, or ``make eval-postcards``. Pictures and queries are always the
same.
"""

from __future__ import annotations

import argparse
import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from domain.entities.images import Pixels
from infra.clip import checkpoint
from postcards import MODEL, queries
from postcards.descriptions import Description, describe_fully
from postcards.facts import facts_of, neighbours, truths, vector
from postcards.grammar import HELD_OUT_GRAMMAR, PLAIN_GRAMMAR
from postcards.painting.postcard import paint_all
from postcards.pictures import FORKSERVER
from postcards.scenes import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from infra.clip.dual_encoder import DualEncoder
    from postcards.grammar import Grammar
    from postcards.scenes import Scene

PICTURE_SIZE = (480, 320)
PICTURES_PER_TASK = 100
TEXTS_PER_BATCH = 100
WORDINGS_PER_QUERY = 3
"""How many wordings each query gets if words and phrasings are held out."""

METRICS_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
"""The place of the metrics table in a document."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with its target and its measured value, both from 0 to 1."""

    name: str
    target: float
    measured: float

    @property
    def is_reached(self) -> bool:
        """Whether the value reaches the target, rounded to two digits."""
        return round(self.measured, 2) >= self.target


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Scenes with their facts and the embeddings of their pictures: (scenes, dimensions)."""

    scenes: list[Scene]
    facts: NDArray[np.float32]
    embeddings: NDArray[np.float32]

    def relevant(self, description: Description) -> NDArray[np.bool_]:
        """Return for each scene whether the description is true of it."""
        [holds] = truths(vector(description.claims)[None], self.facts)
        relevant: NDArray[np.bool_] = holds
        return relevant


class Evaluation:
    """Evaluates one model."""

    def __init__(self, folder: Path, *, console: Console) -> None:
        self.name, self._dual = _load(folder)
        self._console = console

    def metrics(self, *, pictures: int = 1_000, every: int = 1) -> list[Metric]:
        """Compute all metrics, with every n-th of the trials of colour and number."""
        pool = self.pool(queries.held_out_scenes(pictures), f"{pictures:,} pictures")
        ranks = self._ranks_of_full_captions(pool)
        everything = queries.vocabulary()
        colours, numbers = queries.colour_trials()[::every], queries.number_trials()[::every]
        captions = f"full caption among {pictures:,} pictures"
        return [
            Metric(f"{captions}, R@1", 0.85, float((ranks < 1).mean())),
            Metric(f"{captions}, R@5", 0.98, float((ranks < 5).mean())),
            Metric("one attribute or subject, P@10", 0.97, self.precision(pool, everything)),
            Metric(
                "colour bound to subject, with distractors, P@10",
                0.85,
                self._precision_of_trials(colours, "colours"),
            ),
            Metric("number, P@10", 0.75, self._precision_of_trials(numbers, "numbers")),
            Metric(
                "synonyms and phrasings never seen, P@10",
                0.80,
                self.precision(
                    pool, everything, grammar=HELD_OUT_GRAMMAR, wordings=WORDINGS_PER_QUERY
                ),
            ),
            Metric("picture by picture, P@10", 0.80, _precision_of_neighbours(pool)),
            Metric("setting, zero-shot accuracy", 0.97, self._accuracy_of_settings(pool)),
        ]

    def pool(self, scenes: Sequence[Scene], name: str) -> Pool:
        """Paint scenes and embed their pictures."""
        groups = [
            scenes[start : start + PICTURES_PER_TASK]
            for start in range(0, len(scenes), PICTURES_PER_TASK)
        ]
        embeddings: list[Sequence[float]] = []
        with ProcessPoolExecutor(os.cpu_count(), mp_context=FORKSERVER) as processes:
            rendered = processes.map(partial(paint_all, size=PICTURE_SIZE), groups)
            for pictures in track(
                rendered, f"Embedding {name}", total=len(groups), console=self._console
            ):
                embeddings += self._dual.encode_images(
                    [self._dual.preprocess(Pixels(*PICTURE_SIZE, each)) for each in pictures]
                )
        facts = np.stack([vector(facts_of(scene)) for scene in scenes])
        return Pool(list(scenes), facts, np.array(embeddings, np.float32))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: (texts, dimensions)."""
        return np.concatenate(
            [
                np.array(
                    self._dual.encode_texts(list(texts[start : start + TEXTS_PER_BATCH])),
                    np.float32,
                )
                for start in range(0, len(texts), TEXTS_PER_BATCH)
            ]
        )

    def precision(
        self,
        pool: Pool,
        descriptions: Sequence[Description],
        *,
        grammar: Grammar = PLAIN_GRAMMAR,
        wordings: int = 1,
    ) -> float:
        """Return the mean precision at 10 over the queries.

        If fewer than ten pictures are relevant, it is the precision at that number. Queries
        without a relevant picture are left out.
        """
        random = Random(0)
        answerable = [each for each in descriptions if pool.relevant(each).any()]
        each = [description for description in answerable for _ in range(wordings)]
        texts = self.embed([grammar.caption(description, random) for description in each])
        return float(
            np.mean(
                [
                    _precision(pool.embeddings @ text, pool.relevant(description))
                    for text, description in zip(texts, each, strict=True)
                ]
            )
        )

    def _precision_of_trials(self, trials: Sequence[queries.Trial], name: str) -> float:
        pool = self.pool([scene for trial in trials for scene in trial.scenes], name)
        random = Random(0)
        texts = self.embed([PLAIN_GRAMMAR.caption(trial.description, random) for trial in trials])
        results, start = [], 0
        for text, trial in zip(texts, trials, strict=True):
            part = slice(start, start + len(trial.scenes))
            scores = pool.embeddings[part] @ text
            results.append(_precision(scores, pool.relevant(trial.description)[part]))
            start += len(trial.scenes)
        return float(np.mean(results))

    def _ranks_of_full_captions(self, pool: Pool) -> NDArray[np.int64]:
        random = Random(0)
        captions = [PLAIN_GRAMMAR.caption(describe_fully(scene), random) for scene in pool.scenes]
        scores = self.embed(captions) @ pool.embeddings.T
        # A tie counts as a miss. Otherwise a model with one embedding for everything would win.
        ranks: NDArray[np.int64] = (scores >= scores.diagonal()[:, None]).sum(axis=1) - 1
        return ranks

    def _accuracy_of_settings(self, pool: Pool) -> float:
        random = Random(0)
        names = list(SETTINGS)
        labels = self.embed(
            [PLAIN_GRAMMAR.caption(Description(setting=name), random) for name in names]
        )
        best = (pool.embeddings @ labels.T).argmax(axis=1)
        return float(
            np.mean([names[i] == scene.setting for i, scene in zip(best, pool.scenes, strict=True)])
        )


def _precision(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> float:
    first = min(10, int(relevant.sum()))
    return float(relevant[np.argsort(-scores)[:first]].mean())


def _precision_of_neighbours(pool: Pool) -> float:
    similarity = pool.embeddings @ pool.embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, :10]
    return float(np.take_along_axis(neighbours(pool.scenes), nearest, axis=1).mean())


def _load(folder: Path) -> tuple[str, DualEncoder]:
    model, dual = checkpoint.load(str(folder), device=torch.device("cpu"), dtype=torch.float32)
    return model.name, dual


def markdown(metrics: Sequence[Metric]) -> str:
    """Return the metrics as a Markdown table."""
    rows = [
        f"| {metric.name} | {metric.target:.2f} | {metric.measured:.3f} |" for metric in metrics
    ]
    return "\n".join(["| metric | target | measured |", "|---|---|---|", *rows, ""])


def main() -> None:
    """Print the metrics, and write them into the tables of documents."""
    parser = argparse.ArgumentParser(prog="python -m postcards.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=MODEL)
    parser.add_argument("--into", type=Path, nargs="*", default=(), metavar="FILE")
    arguments = parser.parse_args()
    console = Console()
    evaluation = Evaluation(arguments.folder, console=Console(stderr=True))
    metrics = evaluation.metrics()
    table = Table("Metric", "Target", "Measured", title=evaluation.name)
    for metric in metrics:
        style = "green" if metric.is_reached else "red"
        measured = f"[{style}]{metric.measured:.3f}[/]"
        table.add_row(metric.name, f"{metric.target:.2f}", measured)
    console.print(table)
    for document in arguments.into:
        document.write_text(METRICS_TABLE.sub(lambda _: markdown(metrics), document.read_text()))


if __name__ == "__main__":
    main()
