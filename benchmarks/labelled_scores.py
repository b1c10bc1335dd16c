"""Scores of queries with ground truth, and how well a threshold separates relevant pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.real_clip import FOLDER, vectors
from infra.clip.concepts import read_concepts
from infra.clip.embedding_space import ImageMarginScorer, TextMarginScorer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float32]
    Truth: TypeAlias = NDArray[np.bool_]

# Categories of Caltech-101 by the recorded noun, if the names differ.
NOUNS_BY_CATEGORY = {
    "binocular": "Binoculars",
    "car side": "car (automobile)",
    "crab": "crab (animal)",
    "electric guitar": "guitar",
    "face": "Human face",
    "grand piano": "Piano",
    "motorbike": "motorcycle",
    "octopus": "octopus (food)",
    "rhino": "rhinoceros",
    "stapler": "stapler (stapling machine)",
}
# Of the 80 nouns of COCO, those that pictures of Caltech-101 show.
PRESENT_NOUNS = frozenset(
    """
    airplane, bird, boat, car, cat, cell phone, chair, clock, cup, dog, elephant, keyboard, laptop,
    motorcycle, person, pizza, potted plant, scissors, sports ball, stop sign, truck, umbrella, vase
    """.strip()
    .replace("\n    ", " ")
    .split(", ")
)


@dataclass(frozen=True, slots=True)
class LabelledScores:
    """Scores or margins with ground truth, both (queries, pictures)."""

    values: Array
    relevant: Truth

    def best(self) -> tuple[float, float]:
        """Return the best F1 of one threshold over all pairs, and this threshold."""
        order = np.argsort(-self.values, axis=None)
        hits = np.cumsum(self.relevant.ravel()[order])
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + self.relevant.sum())
        place = int(f1.argmax())
        return float(f1[place]), float(self.values.ravel()[order[place]])

    def f1(self, threshold: float) -> float:
        """Return the F1 of a threshold over all pairs."""
        found = self.values >= threshold
        hits = int((found & self.relevant).sum())
        return 2 * hits / int(found.sum() + self.relevant.sum())

    def subset(self, queries: Sequence[int]) -> LabelledScores:
        """Return the scores of some of the queries."""
        return LabelledScores(self.values[queries], self.relevant[queries])

    def held_out(self, *, splits: int = 200) -> float:
        """Return the mean F1 on random thirds of the queries at the best threshold of the rest."""
        random, results = Random(0), []
        for _ in range(splits):
            order = random.sample(range(len(self.values)), len(self.values))
            third = len(order) // 3
            _, threshold = self.subset(order[third:]).best()
            results.append(self.subset(order[:third]).f1(threshold))
        return float(np.mean(results))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Embeddings of CLIP ViT-B/32 on Caltech-101, with 48 present nouns and 57 absent ones."""

    pictures: Array
    categories: Sequence[str]
    queries: Array
    names: Sequence[str]
    absent: Array
    bank: Array
    """The embeddings of our concepts, as far as they are recorded."""

    @property
    def relevant(self) -> Truth:
        """The ground truth: (nouns, pictures)."""
        return np.array([[name == each for each in self.categories] for name in self.names])

    def margins(self, texts: Array, *, bank: Array | None = None) -> Array:
        """Return the margin of each picture for each text: (texts, pictures)."""
        scorer = TextMarginScorer(
            self.pictures, self.bank if bank is None else bank, logit_scale=100.0
        )
        return np.stack([scorer(text) for text in texts])

    def by_picture(self, *, every: int = 10) -> LabelledScores:
        """Return the margins of every n-th picture as a query. Its category is relevant."""
        categories = np.array(self.categories)
        sample = self.pictures[:: max(1, len(self.pictures) // 500)]
        return score_picture_queries(
            self.pictures,
            categories[:, None] == categories,
            sample=sample,
            scale=100.0,
            every=every,
        )


def score_picture_queries(
    pictures: Array, neighbours: Truth, *, sample: Array, scale: float, every: int
) -> LabelledScores:
    """Return the margins of every n-th picture as a query. The picture itself is left out."""
    rows = np.arange(0, len(pictures), every)
    scorer = ImageMarginScorer(pictures, sample, logit_scale=scale)
    values = np.stack([scorer(pictures[row]) for row in rows])
    values[np.arange(len(rows)), rows] = -np.inf
    relevant = neighbours[rows].copy()
    relevant[np.arange(len(rows)), rows] = False
    return LabelledScores(values, relevant)


def recorded() -> Recorded:
    """Read the recorded embeddings."""
    texts, images = _lines("texts"), _lines("images")
    text_vectors = _unit(vectors("text"))
    rows: dict[str, int] = {}
    for line in texts:
        if "noun" in line:
            rows.setdefault(str(line["noun"]), int(line["row"]))
            rows.setdefault(str(line["noun"]).lower(), int(line["row"]))
            # "crab (animal)" is also found as "crab".
            rows.setdefault(str(line["noun"]).lower().split(" (")[0], int(line["row"]))
    shown = [line for line in images if str(line["source"]).startswith("caltech")]
    names = sorted(json.loads((FOLDER / "caltech_noun_queries_expected.json").read_text()))
    absent = [
        int(line["row"])
        for line in texts
        if line["source"] == "Detic/coco" and str(line["noun"]).lower() not in PRESENT_NOUNS
    ]
    concepts = {rows[name] for each in read_concepts() if (name := each.split(" ", 1)[1]) in rows}
    return Recorded(
        pictures=_unit(vectors("image"))[[int(line["row"]) for line in shown]],
        categories=[str(line["label"]).replace("_", " ") for line in shown],
        queries=text_vectors[[rows[NOUNS_BY_CATEGORY.get(name, name)] for name in names]],
        names=names,
        absent=text_vectors[absent],
        bank=text_vectors[sorted(concepts)],
    )


def _lines(name: str) -> list[dict[str, str | int]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def _unit(points: Array) -> Array:
    unit: Array = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit
