"""Real outputs of CLIP ViT-B/32, and what an exact search finds among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from domain.entities.embeddings import EmbeddingModel, Query, QueryKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from domain.entities.embeddings import Ranking

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "real-clip"
MODEL = EmbeddingModel("openai/clip-vit-base-patch32", 512)

MOVE = 0.3
"""How far points are moved, as a share of the difference of two others."""

AT_ONCE = 10_000
"""How many points are made at once, so that memory holds them."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Queries of one kind, each with its true nearest rows, the nearest first."""

    queries: tuple[Query, ...]
    rows: NDArray[np.int32]

    def one_in(self, number: int) -> Neighbours:
        """Return every so manyth query."""
        return Neighbours(self.queries[::number], self.rows[::number])

    def recall(self, rankings: Sequence[Ranking], *, at: int = 20) -> float:
        """Return the share of the true ``at`` nearest that are among the first ``at`` hits."""
        found = [
            len({hit.image_id.int for hit in ranking.hits[:at]} & set(map(int, truth[:at])))
            for ranking, truth in zip(rankings, self.rows, strict=False)
        ]
        return sum(found) / (at * len(rankings))


@dataclass(frozen=True, slots=True)
class Library:
    """Pictures' vectors, and queries with their answers."""

    vectors: NDArray[np.float32]
    images: Neighbours
    texts: Neighbours


def vectors(name: str) -> NDArray[np.float32]:
    """Read vectors of length 1."""
    return np.asarray(np.load(FOLDER / f"{name}_vectors.f16.npy"), dtype=np.float32)


def queries(points: NDArray[np.float32], kind: QueryKind) -> tuple[Query, ...]:
    """Return the points as queries."""
    return tuple(Query(point, kind) for point in points.tolist())


def large_library() -> Library:
    """Return the 33,256 vectors, 1,000 queries by image and 2,648 by text."""
    truth = np.load(FOLDER / "ann_ground_truth.npz")
    every = vectors("ann")
    return Library(
        every[truth["base_rows"]],
        Neighbours(queries(every[truth["query_rows"]], QueryKind.IMAGE), truth["img_nn"]),
        Neighbours(queries(vectors("text"), QueryKind.TEXT), truth["text_nn"]),
    )


def captioned() -> tuple[NDArray[np.float32], Neighbours]:
    """Return 4,839 pictures' vectors, and 500 captions, each with the one row it describes."""
    lines = (FOLDER / "images.jsonl").read_text().splitlines()
    rows = {json.loads(line)["path"]: row for row, line in enumerate(lines)}
    texts = [json.loads(line) for line in (FOLDER / "texts.jsonl").read_text().splitlines()]
    described = [(line["row"], rows[line["image"]]) for line in texts if "image" in line]
    points = vectors("text")[[row for row, _ in described]]
    truth = np.array([[row] for _, row in described], dtype=np.int32)
    return vectors("image"), Neighbours(queries(points, QueryKind.TEXT), truth)


def nouns() -> NDArray[np.float32]:
    """Return the vectors of 2,148 nouns, each as a text: "a boat"."""
    lines = (FOLDER / "texts.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return vectors("text")[[row["row"] for row in rows if "image" not in row]]


def enlarged(points: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """Return so many points that lie as these do: each one of them, moved a little.

    It is moved along the difference of two others, so that the cloud keeps its shape. Of 200,000
    made from the 33,256, the nearest is as near to a picture or a text, at the median, as among
    the 33,256: cosines of .88 and .30, where those have .90 and .30.
    """
    random = np.random.default_rng(0)
    large = np.empty((number, points.shape[1]), np.float32)
    for start in range(0, number, AT_ONCE):
        part = large[start : start + AT_ONCE]
        one, other, another = (points[random.integers(len(points), size=len(part))] for _ in "123")
        part[:] = one + MOVE * (other - another)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return large
