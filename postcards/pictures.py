"""The pictures of training, painted once, small, and kept in a file."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.progress import track

from postcards.architecture import PATCH, SIDE
from postcards.painting.brush import WIDTH
from postcards.painting.postcard import arrange, luck_of, paint
from postcards.scenes import COLOURS, KINDS, compose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from postcards.scenes import Scene

PAINTED = (240, 160)
"""Pixels of a picture before it is squeezed into the model's square: the rest is antialiasing."""

GRID = SIDE // PATCH
CHUNK = 500
FORKSERVER = get_context("forkserver")
"""Where torch has threads already, plain forks may hang."""


_KINDS = tuple(KINDS)


def sources_digest() -> str:
    """Return eight hexadecimal digits that stand for the code of this package."""
    together = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        together.update(file.read_bytes())
    return together.hexdigest()[:8]


def training_scenes(number: int) -> list[Scene]:
    """Return the first scenes that are not held out."""
    return list(islice((s for s in map(compose, count()) if not s.is_held_out), number))


def load_pictures(file: Path, number: int, *, workers: int | None = None) -> NDArray[np.uint8]:
    """Return the pictures of the training scenes: (number, SIDE, SIDE, 3), painted if need be."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        begun = file.with_suffix(".begun")
        shape = (number, SIDE, SIDE, 3)
        new = np.lib.format.open_memmap(begun, mode="w+", dtype=np.uint8, shape=shape)
        scenes = training_scenes(number)
        chunks = [scenes[start : start + CHUNK] for start in range(0, number, CHUNK)]
        with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=FORKSERVER) as pool:
            done = track(pool.map(_paint_all, chunks), "Painting", total=len(chunks))
            for place, chunk in enumerate(done):
                new[place * CHUNK : place * CHUNK + len(chunk)] = chunk
        new.flush()
        begun.rename(file)
    pictures: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    if len(pictures) != number:
        message = f"{file} holds {len(pictures)} pictures, not {number}; remove it"
        raise ValueError(message)
    return pictures


def squeeze(scene: Scene) -> NDArray[np.uint8]:
    """Return a scene's picture as the model sees it: (SIDE, SIDE, 3)."""
    picture = paint(scene, PAINTED, smooth=1)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def label(scene: Scene) -> NDArray[np.uint8]:
    """Return what each patch of a picture shows: (GRID, GRID, 3), rows first.

    The last axis is kind, colour and number of the subject whose box has the middle of the patch,
    each counted from 1; 0 is none.
    """
    labels = np.zeros((GRID, GRID, 3), np.uint8)
    middles = (np.arange(GRID) + 0.5) / GRID
    for figure in arrange(scene, luck_of(scene)):
        columns = np.abs(middles * WIDTH - figure.x) < max(figure.width, WIDTH / GRID) / 2
        above = figure.y - middles
        rows = (above > min(0, figure.height - 1 / GRID)) & (above < figure.height)
        colour = figure.subject.colour
        labels[np.ix_(rows, columns)] = (
            _KINDS.index(figure.subject.kind) + 1,
            COLOURS.index(colour) + 1 if colour else 0,
            figure.subject.count,
        )
    return labels


def _paint_all(scenes: list[Scene]) -> NDArray[np.uint8]:
    return np.stack(list(map(squeeze, scenes)))
