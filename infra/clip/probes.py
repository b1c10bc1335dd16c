"""Texts and pictures by which a converted model is compared with its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from domain.entities.images import Pixels

if TYPE_CHECKING:
    from infra.clip.engine import Engine

# Of several lengths, in one batch: padded, truncated, and with letters outside ASCII.
TEXTS = ["a red boat on the sea", "", "deux hérons gris, au crépuscule 🦢", "many words " * 100]


def pictures() -> list[Pixels]:
    """Return two smooth pictures, one wide and one tall."""
    rows, columns = np.mgrid[0:60, 0:100]
    wide = np.stack([rows * 4, columns * 2, rows + columns], axis=-1).astype(np.uint8)
    return [_pixels(wide), _pixels(wide.transpose(1, 0, 2)[:, :, ::-1])]


def embed(engine: Engine) -> tuple[list[list[float]], list[list[float]]]:
    """Return the embeddings of the texts and of the pictures."""
    texts = engine.encode_texts(TEXTS)
    images = engine.encode_images([engine.preprocess(picture) for picture in pictures()])
    return [[*text] for text in texts], [[*image] for image in images]


def lowest_cosine(left: Any, right: Any) -> float:  # noqa: ANN401 - anything that NumPy takes
    """Return the lowest cosine of pairs of vectors of length 1; NaN if a vector has one."""
    return float((np.asarray(left) * np.asarray(right)).sum(axis=-1).min())


def _pixels(rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> Pixels:
    return Pixels(rgb.shape[1], rgb.shape[0], rgb.tobytes())
