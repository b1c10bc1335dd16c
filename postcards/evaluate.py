"""Measure a model on postcards with combinations that it was never trained on.

``python -m postcards.evaluate``, or ``make eval-postcards``: always the same pictures and queries.
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
from postcards.facts import alike, facts_of, truths, vector
from postcards.grammar import PLAIN, UNSEEN
from postcards.painting.postcard import paint_all
from postcards.pictures import FORKSERVER
from postcards.scenes import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from infra.clip.dual_encoder import DualEncoder
    from postcards.grammar import Grammar
    from postcards.scenes import Scene

SIZE = (480, 320)
AT_ONCE = 100
WORDINGS = 3
"""How often each query is worded anew where words and phrasings were never seen."""

FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
"""Where a document has its table of them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, what it should reach, and what it is; shares of 1."""

    what: str
    reach: float
    measured: float

    @property
    def is_reached(self) -> bool:
        """Whether it is, at the two digits that are shown."""
        return round(self.measured, 2) >= self.reach


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Scenes, what is true of each, and the embeddings of their pictures: (scenes, dimensions)."""

    scenes: list[Scene]
    facts: NDArray[np.float32]
    embeddings: NDArray[np.float32]

    def relevant(self, description: Description) -> NDArray[np.bool_]:
        """Return in which scenes a description is true."""
        [holds] = truths(vector(description.claims)[None], self.facts)
        relevant: NDArray[np.bool_] = holds
        return relevant


class Evaluation:
    """One model, measured."""

    def __init__(self, folder: Path, *, console: Console) -> None:
        self.name, self._dual = _load(folder)
        self._console = console

    def figures(self, *, pictures: int = 1_000, every: int = 1) -> list[Figure]:
        """Measure everything, with every so many of the trials of colour and number."""
        pool = self.pool(queries.held_out_scenes(pictures), f"{pictures:,} pictures")
        ranks = self._ranks_of_full_captions(pool)
        everything = queries.vocabulary()
        colours, numbers = queries.colour_trials()[::every], queries.number_trials()[::every]
        captions = f"full caption among {pictures:,} pictures"
        return [
            Figure(f"{captions}, R@1", 0.85, float((ranks < 1).mean())),
            Figure(f"{captions}, R@5", 0.98, float((ranks < 5).mean())),
            Figure("one attribute or subject, P@10", 0.97, self.precision(pool, everything)),
            Figure(
                "colour bound to subject, with distractors, P@10",
                0.85,
                self._precision_of_trials(colours, "colours"),
            ),
            Figure("number, P@10", 0.75, self._precision_of_trials(numbers, "numbers")),
            Figure(
                "synonyms and phrasings never seen, P@10",
                0.80,
                self.precision(pool, everything, grammar=UNSEEN, wordings=WORDINGS),
            ),
            Figure("picture by picture, P@10", 0.80, _precision_of_neighbours(pool)),
            Figure("setting, zero-shot accuracy", 0.97, self._accuracy_of_settings(pool)),
        ]

    def pool(self, scenes: Sequence[Scene], what: str) -> Pool:
        """Paint scenes and embed their pictures."""
        groups = [scenes[start : start + AT_ONCE] for start in range(0, len(scenes), AT_ONCE)]
        embeddings: list[Sequence[float]] = []
        with ProcessPoolExecutor(os.cpu_count(), mp_context=FORKSERVER) as processes:
            painted = processes.map(partial(paint_all, size=SIZE), groups)
            for pictures in track(
                painted, f"Looking at {what}", total=len(groups), console=self._console
            ):
                embeddings += self._dual.encode_images(
                    [self._dual.preprocess(Pixels(*SIZE, each)) for each in pictures]
                )
        facts = np.stack([vector(facts_of(scene)) for scene in scenes])
        return Pool(list(scenes), facts, np.array(embeddings, np.float32))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: (texts, dimensions)."""
        return np.concatenate(
            [
                np.array(self._dual.encode_texts(list(texts[start : start + AT_ONCE])), np.float32)
                for start in range(0, len(texts), AT_ONCE)
            ]
        )

    def precision(
        self,
        pool: Pool,
        descriptions: Sequence[Description],
        *,
        grammar: Grammar = PLAIN,
        wordings: int = 1,
    ) -> float:
        """Return the mean over queries of the share of relevant pictures among the first ten.

        Where fewer than ten are relevant, among as many as there are; a query that nothing in the
        pool answers does not count.
        """
        random = Random(0)
        answered = [each for each in descriptions if pool.relevant(each).any()]
        each = [description for description in answered for _ in range(wordings)]
        texts = self.embed([grammar.say(description, random) for description in each])
        return float(
            np.mean(
                [
                    _precision(pool.embeddings @ text, pool.relevant(description))
                    for text, description in zip(texts, each, strict=True)
                ]
            )
        )

    def _precision_of_trials(self, trials: Sequence[queries.Trial], what: str) -> float:
        pool = self.pool([scene for trial in trials for scene in trial.scenes], what)
        random = Random(0)
        texts = self.embed([PLAIN.say(trial.description, random) for trial in trials])
        results, start = [], 0
        for text, trial in zip(texts, trials, strict=True):
            part = slice(start, start + len(trial.scenes))
            scores = pool.embeddings[part] @ text
            results.append(_precision(scores, pool.relevant(trial.description)[part]))
            start += len(trial.scenes)
        return float(np.mean(results))

    def _ranks_of_full_captions(self, pool: Pool) -> NDArray[np.int64]:
        random = Random(0)
        captions = [PLAIN.say(describe_fully(scene), random) for scene in pool.scenes]
        scores = self.embed(captions) @ pool.embeddings.T
        # A tie is no find: a model to which all is one would be the best of all.
        ranks: NDArray[np.int64] = (scores >= scores.diagonal()[:, None]).sum(axis=1) - 1
        return ranks

    def _accuracy_of_settings(self, pool: Pool) -> float:
        random = Random(0)
        names = list(SETTINGS)
        labels = self.embed([PLAIN.say(Description(setting=name), random) for name in names])
        best = (pool.embeddings @ labels.T).argmax(axis=1)
        return float(
            np.mean([names[i] == scene.setting for i, scene in zip(best, pool.scenes, strict=True)])
        )


def _precision(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> float:
    first = min(10, int(relevant.sum()))
    return float(relevant[np.argsort(-scores)[:first]].mean())


def _precision_of_neighbours(pool: Pool) -> float:
    likeness = pool.embeddings @ pool.embeddings.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1)[:, :10]
    return float(np.take_along_axis(alike(pool.scenes), nearest, axis=1).mean())


def _load(folder: Path) -> tuple[str, DualEncoder]:
    model, dual = checkpoint.load(str(folder), device=torch.device("cpu"), dtype=torch.float32)
    return model.name, dual


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table of a card."""
    rows = [f"| {figure.what} | {figure.reach:.2f} | {figure.measured:.3f} |" for figure in figures]
    return "\n".join(["| what | reach | measured |", "|---|---|---|", *rows, ""])


def main() -> None:
    """Measure and print, and write the figures into documents that have a place for them."""
    parser = argparse.ArgumentParser(prog="python -m postcards.evaluate", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=MODEL)
    parser.add_argument("--into", type=Path, nargs="*", default=(), metavar="FILE")
    arguments = parser.parse_args()
    console = Console()
    evaluation = Evaluation(arguments.folder, console=Console(stderr=True))
    figures = evaluation.figures()
    table = Table("What", "Reach", "Measured", title=evaluation.name)
    for figure in figures:
        style = "green" if figure.is_reached else "red"
        measured = f"[{style}]{figure.measured:.3f}[/]"
        table.add_row(figure.what, f"{figure.reach:.2f}", measured)
    console.print(table)
    for document in arguments.into:
        document.write_text(FIGURES.sub(lambda _: markdown(figures), document.read_text()))


if __name__ == "__main__":
    main()
