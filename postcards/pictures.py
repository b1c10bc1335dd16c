"""Training pictures at the size of the model's input, rendered once and cached in a file."""

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

from postcards.architecture import IMAGE_SIDE_PIXELS, PATCH_SIDE_PIXELS
from postcards.painting.brush import CANVAS_WIDTH
from postcards.painting.postcard import arrange, paint, random_of
from postcards.scenes import COLOURS, KINDS, compose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from postcards.scenes import Scene

PAINTED_SIZE = (240, 160)
"""The size in pixels at which pictures are painted before they are resized to the model's input.

The resize does the antialiasing."""

PATCHES_PER_SIDE = IMAGE_SIDE_PIXELS // PATCH_SIDE_PIXELS
SCENES_PER_TASK = 500
FORKSERVER = get_context("forkserver")
"""Forking a process in which torch has started threads can deadlock."""


_KIND_NAMES = tuple(KINDS)


def sources_digest() -> str:
    """Return the first eight hex digits of a SHA-256 of this package's source files."""
    together = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        together.update(file.read_bytes())
    return together.hexdigest()[:8]


def training_scenes(number: int) -> list[Scene]:
    """Return the first ``number`` scenes that are not held out."""
    return list(islice((s for s in map(compose, count()) if not s.is_held_out), number))


def load_pictures(file: Path, number: int, *, workers: int | None = None) -> NDArray[np.uint8]:
    """Return the pictures of the training scenes: (number, side, side, 3).

    Renders them into ``file`` if it does not exist. Raises ValueError if it has another number.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        begun = file.with_suffix(".begun")
        shape = (number, IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS, 3)
        new = np.lib.format.open_memmap(begun, mode="w+", dtype=np.uint8, shape=shape)
        scenes = training_scenes(number)
        chunks = [
            scenes[start : start + SCENES_PER_TASK] for start in range(0, number, SCENES_PER_TASK)
        ]
        with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=FORKSERVER) as pool:
            done = track(pool.map(_paint_all, chunks), "Painting", total=len(chunks))
            for place, chunk in enumerate(done):
                new[place * SCENES_PER_TASK : place * SCENES_PER_TASK + len(chunk)] = chunk
        new.flush()
        begun.rename(file)
    pictures: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    if len(pictures) != number:
        message = f"{file} holds {len(pictures)} pictures, not {number}; remove it"
        raise ValueError(message)
    return pictures


def model_input(scene: Scene) -> NDArray[np.uint8]:
    """Return a scene's picture at the size of the model's input: (side, side, 3)."""
    picture = paint(scene, PAINTED_SIZE, supersampling=1)
    return np.asarray(
        picture.resize((IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS), Image.Resampling.BICUBIC)
    )


def patch_labels(scene: Scene) -> NDArray[np.uint8]:
    """Return the labels of each patch of a picture: (rows, columns, 3).

    The last axis is kind, colour and number of the subject whose box contains the centre of the
    patch. Each counts from 1, and 0 means no subject or no colour.
    """
    labels = np.zeros((PATCHES_PER_SIDE, PATCHES_PER_SIDE, 3), np.uint8)
    centres = (np.arange(PATCHES_PER_SIDE) + 0.5) / PATCHES_PER_SIDE
    for figure in arrange(scene, random_of(scene)):
        columns = (
            np.abs(centres * CANVAS_WIDTH - figure.x)
            < max(figure.width, CANVAS_WIDTH / PATCHES_PER_SIDE) / 2
        )
        above = figure.y - centres
        rows = (above > min(0, figure.height - 1 / PATCHES_PER_SIDE)) & (above < figure.height)
        colour = figure.subject.colour
        labels[np.ix_(rows, columns)] = (
            _KIND_NAMES.index(figure.subject.kind) + 1,
            COLOURS.index(colour) + 1 if colour else 0,
            figure.subject.count,
        )
    return labels


def _paint_all(scenes: list[Scene]) -> NDArray[np.uint8]:
    return np.stack(list(map(model_input, scenes)))
