"""Queries with known answers, and how well margins and scores part hits from noise."""

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

# What Caltech-101 calls its categories, where the recorded nouns have another word.
NOUNS = {
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
# Of the 80 nouns of COCO, those that some category of Caltech-101 shows.
SHOWN = frozenset(
    """
    airplane, bird, boat, car, cat, cell phone, chair, clock, cup, dog, elephant, keyboard, laptop,
    motorcycle, person, pizza, potted plant, scissors, sports ball, stop sign, truck, umbrella, vase
    """.strip()
    .replace("\n    ", " ")
    .split(", ")
)


@dataclass(frozen=True, slots=True)
class Judged:
    """Margins or scores, and which of them are of relevant pictures: (queries, pictures) both."""

    values: Array
    relevant: Truth

    def best(self) -> tuple[float, float]:
        """Return the best F1 that one threshold reaches over all pairs, and that threshold."""
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

    def of(self, queries: Sequence[int]) -> Judged:
        """Return some of the queries."""
        return Judged(self.values[queries], self.relevant[queries])

    def held_out(self, *, splits: int = 200) -> float:
        """Return the mean F1 of a third of the queries at the threshold that the others chose."""
        random, results = Random(0), []
        for _ in range(splits):
            order = random.sample(range(len(self.values)), len(self.values))
            third = len(order) // 3
            _, threshold = self.of(order[third:]).best()
            results.append(self.of(order[:third]).f1(threshold))
        return float(np.mean(results))


@dataclass(frozen=True, slots=True)
class Recorded:
    """CLIP ViT-B/32 on Caltech-101: 48 nouns that it shows and 57 that it does not."""

    pictures: Array
    categories: Sequence[str]
    queries: Array
    names: Sequence[str]
    absent: Array
    bank: Array
    """Those of our concepts of which there is a recorded vector."""

    @property
    def relevant(self) -> Truth:
        """Which pictures show which noun: (nouns, pictures)."""
        return np.array([[name == each for each in self.categories] for name in self.names])

    def margins(self, texts: Array, *, bank: Array | None = None) -> Array:
        """Return how far each picture stands out for each text: (texts, pictures)."""
        judge = TextMarginScorer(
            self.pictures, self.bank if bank is None else bank, logit_scale=100.0
        )
        return np.stack([judge(text) for text in texts])

    def by_picture(self, *, every: int = 10) -> Judged:
        """Return the margins of pictures as queries; those of the same category are relevant."""
        categories = np.array(self.categories)
        sample = self.pictures[:: max(1, len(self.pictures) // 500)]
        return judged_by_picture(
            self.pictures,
            categories[:, None] == categories,
            sample=sample,
            scale=100.0,
            every=every,
        )


def judged_by_picture(
    pictures: Array, alike: Truth, *, sample: Array, scale: float, every: int
) -> Judged:
    """Return the margins of every so manyth picture as a query, never against itself."""
    rows = np.arange(0, len(pictures), every)
    judge = ImageMarginScorer(pictures, sample, logit_scale=scale)
    values = np.stack([judge(pictures[row]) for row in rows])
    values[np.arange(len(rows)), rows] = -np.inf
    relevant = alike[rows].copy()
    relevant[np.arange(len(rows)), rows] = False
    return Judged(values, relevant)


def recorded() -> Recorded:
    """Read the recorded vectors."""
    texts, images = _lines("texts"), _lines("images")
    text_vectors = _unit(vectors("text"))
    rows: dict[str, int] = {}
    for line in texts:
        if "noun" in line:
            rows.setdefault(str(line["noun"]), int(line["row"]))
            rows.setdefault(str(line["noun"]).lower(), int(line["row"]))
            # "crab (animal)" is also a crab.
            rows.setdefault(str(line["noun"]).lower().split(" (")[0], int(line["row"]))
    shown = [line for line in images if str(line["source"]).startswith("caltech")]
    names = sorted(json.loads((FOLDER / "caltech_noun_queries_expected.json").read_text()))
    absent = [
        int(line["row"])
        for line in texts
        if line["source"] == "Detic/coco" and str(line["noun"]).lower() not in SHOWN
    ]
    concepts = {rows[name] for each in read_concepts() if (name := each.split(" ", 1)[1]) in rows}
    return Recorded(
        pictures=_unit(vectors("image"))[[int(line["row"]) for line in shown]],
        categories=[str(line["label"]).replace("_", " ") for line in shown],
        queries=text_vectors[[rows[NOUNS.get(name, name)] for name in names]],
        names=names,
        absent=text_vectors[absent],
        bank=text_vectors[sorted(concepts)],
    )


def _lines(name: str) -> list[dict[str, str | int]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def _unit(points: Array) -> Array:
    unit: Array = points / np.linalg.norm(points, axis=1, keepdims=True)
    return unit
