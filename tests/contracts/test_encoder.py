"""The contract of encoders."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.images import Pixels
from infra.clip.encoder import ClipEncoder
from infra.clip.engines import load
from infra.clip.quantisation import quantise
from tests.checkpoints import small_clip, small_siglip, small_siglip2
from tests.fakes.encoder import FakeEncoder
from tests.model_cache import engine_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from domain.ports import Encoder
    from infra.clip.engine import EngineName

RED, BLUE = (bytes((255, 0, 0)), bytes((0, 0, 255)))
RED_PICTURE = Pixels(40, 30, RED * 1200)
FLAG = Pixels(40, 30, RED * 600 + BLUE * 600)
TEXTS = ["a red boat on the sea", "snow", "two blue owls, sitting"]


CHECKPOINTS = {"clip": small_clip, "siglip": small_siglip, "siglip2": small_siglip2}
ENGINES: tuple[EngineName, ...] = ("torch", "openvino")


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a quantised model, which is in the cache."""
    checkpoint = str(small_clip(tmp_path_factory.mktemp("quantised") / "model"))
    options = engine_options("openvino")
    load(checkpoint, options)
    return quantise(checkpoint, noise(64), TEXTS, options.cache).name


def noise(count: int) -> list[Pixels]:
    random = Random(1)
    return [
        Pixels(
            4, 3, b"".join(random.choice((RED, BLUE, b"\0" * 3, b"\xff" * 3)) for _ in range(12))
        )
        for _ in range(count)
    ]


@pytest.fixture(
    params=["fake", "int8", *(f"{engine} {name}" for engine in ENGINES for name in CHECKPOINTS)]
)
async def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Encoder]:
    if request.param == "fake":
        yield FakeEncoder()
        return
    if request.param == "int8":
        source = request.getfixturevalue("quantised")
        options = engine_options(dtype="float32")
    else:
        engine, name = request.param.split()
        source = str(CHECKPOINTS[name](tmp_path))
        options = engine_options(engine, dtype="float32")
    # No cache: it would return equal embeddings without running the model.
    async with ClipEncoder.open(source, options, cache_size=0) as encoder:
        yield encoder


def cosine(left: object, right: object) -> float:
    return float(np.dot(np.asarray(left), np.asarray(right)))


async def test_embeddings_have_the_dimensions_of_the_model_and_length_one(encoder: Encoder) -> None:
    embeddings = [
        *await encoder.encode_texts(TEXTS),
        *await encoder.encode_images([RED_PICTURE, FLAG]),
    ]

    assert {encoder.model.dimensions} == {len(embedding) for embedding in embeddings}
    assert pytest.approx([1] * 5, abs=1e-5) == np.linalg.norm(embeddings, axis=1)


async def test_equal_texts_have_equal_embeddings(encoder: Encoder) -> None:
    [first], [again] = await encoder.encode_texts(["snow"]), await encoder.encode_texts(["snow"])

    assert pytest.approx(first, abs=1e-6) == again


async def test_equal_pictures_have_equal_embeddings(encoder: Encoder) -> None:
    [first], [again] = await encoder.encode_images([FLAG]), await encoder.encode_images([FLAG])

    assert pytest.approx(first, abs=1e-6) == again


async def test_different_texts_have_different_embeddings(encoder: Encoder) -> None:
    first, second, third = await encoder.encode_texts(TEXTS)

    assert cosine(first, second) < 0.9999
    assert cosine(first, third) < 0.9999


async def test_different_pictures_have_different_embeddings(encoder: Encoder) -> None:
    red, flag = await encoder.encode_images([RED_PICTURE, FLAG])

    assert cosine(red, flag) < 0.999


async def test_embeddings_are_returned_in_order_with_repeats(encoder: Encoder) -> None:
    first, second, repeat = await encoder.encode_texts(["snow", "boat", "snow"])
    red, flag, red_again = await encoder.encode_images([RED_PICTURE, FLAG, RED_PICTURE])

    assert cosine(first, repeat) > 0.9999 > cosine(first, second)
    assert cosine(red, red_again) > 0.9999 > cosine(red, flag)


async def test_an_embedding_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    [_, text, _] = await encoder.encode_texts(["word " * 60, "snow", ""])
    [text_alone] = await encoder.encode_texts(["snow"])
    [_, picture] = await encoder.encode_images([RED_PICTURE, FLAG])
    [picture_alone] = await encoder.encode_images([FLAG])

    assert cosine(text, text_alone) > 0.9999
    assert cosine(picture, picture_alone) > 0.9999


async def test_an_empty_text_is_encoded(encoder: Encoder) -> None:
    [embedding] = await encoder.encode_texts([""])

    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(embedding)


async def test_no_inputs_return_no_embeddings(encoder: Encoder) -> None:
    assert [] == await encoder.encode_texts([])
    assert [] == await encoder.encode_images([])


async def test_a_lone_surrogate_is_encoded(encoder: Encoder) -> None:
    odd, plain = await encoder.encode_texts(["\ud83d", "snow"])

    assert len(odd) == len(plain)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (1, 1600), (1600, 1)])
async def test_a_picture_of_any_shape_is_encoded(encoder: Encoder, size: tuple[int, int]) -> None:
    width, height = size

    [embedding] = await encoder.encode_images([Pixels(width, height, RED * width * height)])

    assert encoder.model.dimensions == len(embedding)
