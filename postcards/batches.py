"""Training batches: pictures, captions, and which caption is true of which picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch

from postcards.architecture import PIXEL_MEAN, PIXEL_STD
from postcards.descriptions import (
    alter,
    describe_a_subject,
    describe_fully,
    describe_partly,
    random_concept,
    random_detail,
)
from postcards.facts import facts_of, neighbours, truths, vector
from postcards.grammar import TRAINING_GRAMMAR
from postcards.pictures import patch_labels
from postcards.tokens import CaptionTokenizer, caption_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from postcards.descriptions import Description
    from postcards.scenes import Scene

CONCEPT_CAPTIONS_PER_BATCH = 64
"""Captions of a batch that are generated independently of its pictures."""

DETAIL_CAPTIONS_PER_BATCH = 128
"""Further such captions, of a colour or a number only, from step ``Recipe.details`` on."""

MAX_SHIFT_PIXELS = 3
"""The maximum random translation of a picture."""

MIRRORED_PLACES = {"left": "right", "centre": "centre", "right": "left"}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Normalised pictures, captions and their ground truth.

    ``pixels`` is (pictures, 3, side, side), ``texts`` has the token ids of captions, the shortest
    first. ``truth`` is (captions, pictures), ``facts`` (facts, pictures), ``neighbours`` (pictures,
    pictures), and ``labels`` (pictures, patches, 3) as in ``pictures.patch_labels``.
    """

    pixels: torch.Tensor
    texts: list[list[int]]
    truth: torch.Tensor
    facts: torch.Tensor
    neighbours: torch.Tensor
    labels: torch.Tensor


class Batches:
    """Batches by number. A batch depends on its number and the seed only, so runs can resume."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        pictures: NDArray[np.uint8],
        *,
        size: int,
        seed: int,
        details_from: int,
    ) -> None:
        self._scenes = scenes
        self._pictures = pictures
        self._size = size
        self._seed = seed
        self._details_from = details_from
        self._tokens = CaptionTokenizer(caption_words(), dropout=0.06)

    def __getitem__(self, number: int) -> Batch:
        """Return a batch."""
        random = Random(f"{self._seed} {number}")
        chosen = self._choose(number)
        mirrored = [random.random() < 0.5 for _ in chosen]
        scenes = [
            mirror(self._scenes[place]) if turned else self._scenes[place]
            for place, turned in zip(chosen, mirrored, strict=True)
        ]
        descriptions = [*_descriptions(scenes, random)]
        if number >= self._details_from:
            descriptions += [random_detail(random) for _ in range(DETAIL_CAPTIONS_PER_BATCH)]
        texts = [
            self._tokens.encode(TRAINING_GRAMMAR.caption(each, random), random)
            for each in descriptions
        ]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        claims = np.stack([vector(descriptions[place].claims) for place in order])
        facts = np.stack([vector(facts_of(scene)) for scene in scenes])
        labels = [
            (patch_labels(self._scenes[place])[:, :: -1 if turned else 1]).reshape(-1, 3)
            for place, turned in zip(chosen, mirrored, strict=True)
        ]
        return Batch(
            self._augment(chosen, mirrored, random),
            [texts[place] for place in order],
            torch.from_numpy(truths(claims, facts)),
            torch.from_numpy(facts.T == 1),
            torch.from_numpy(neighbours(scenes)),
            torch.from_numpy(np.stack(labels)).long(),
        )

    def _choose(self, number: int) -> list[int]:
        """Return the indexes of the pictures of a batch. An epoch has each picture at most once."""
        per_epoch = len(self._scenes) // self._size
        epoch, place = divmod(number, per_epoch)
        shuffled = np.random.default_rng([self._seed, epoch]).permutation(len(self._scenes))
        return [int(i) for i in shuffled[place * self._size : (place + 1) * self._size]]

    def _augment(
        self, chosen: Sequence[int], mirrored: Sequence[bool], random: Random
    ) -> torch.Tensor:
        pixels = np.empty((len(chosen), *self._pictures.shape[1:]), np.float32)
        for row, (place, turned) in enumerate(zip(chosen, mirrored, strict=True)):
            picture = self._pictures[place]
            x, y = random.randint(0, 2 * MAX_SHIFT_PIXELS), random.randint(0, 2 * MAX_SHIFT_PIXELS)
            wide = np.pad(
                picture,
                (
                    (MAX_SHIFT_PIXELS, MAX_SHIFT_PIXELS),
                    (MAX_SHIFT_PIXELS, MAX_SHIFT_PIXELS),
                    (0, 0),
                ),
                mode="edge",
            )
            moved = wide[y : y + picture.shape[0], x : x + picture.shape[1]]
            pixels[row] = (moved[:, ::-1] if turned else moved) * random.uniform(0.93, 1.05)
        return normalise(pixels)


def normalise(pixels: NDArray[np.float32]) -> torch.Tensor:
    """Convert pictures (n, side, side, 3), 0 to 255, to the model's input (n, 3, side, side)."""
    scaled = (pixels / 255 - np.array(PIXEL_MEAN, np.float32)) / np.array(PIXEL_STD, np.float32)
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy())


def padded(texts: Sequence[list[int]], end: int) -> torch.Tensor:
    """Return texts as one tensor, padded with end tokens, which CLIP ignores after the first."""
    longest = max(map(len, texts))
    return torch.tensor([text + [end] * (longest - len(text)) for text in texts])


def mirror(scene: Scene) -> Scene:
    """Return the scene of a mirrored picture."""
    return replace(
        scene,
        subjects=tuple(
            replace(subject, place=MIRRORED_PLACES[subject.place]) for subject in scene.subjects
        ),
    )


def _descriptions(scenes: Sequence[Scene], random: Random) -> Iterator[Description]:
    for scene in scenes:
        if random.random() < 0.5:
            yield describe_fully(scene)
        else:
            yield describe_partly(scene, random, share=random.uniform(0.3, 0.9))
        if random.random() < 0.5:
            yield describe_a_subject(scene, random)
            continue
        near_miss = alter(scene, random)
        if random.random() < 0.7:
            yield describe_a_subject(near_miss, random)
        else:
            yield describe_partly(near_miss, random, share=0.6)
    for _ in range(CONCEPT_CAPTIONS_PER_BATCH):
        yield random_concept(random)
