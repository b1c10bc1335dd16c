"""Preprocessing without transformers, compared with its image processors bit for bit."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    Siglip2ImageProcessorPil,
    SiglipImageProcessorPil,
    ViTImageProcessorPil,
)

from domain.entities.images import Pixels
from infra.clip.engine import NotRunnableError
from infra.clip.preprocessing import Preprocessing

PROCESSORS = [
    CLIPImageProcessorPil(),
    CLIPImageProcessorPil(size={"shortest_edge": 65}, crop_size={"height": 60, "width": 47}),
    # The bundled model's: no crop, and another mean.
    CLIPImageProcessorPil(
        size={"height": 72, "width": 72},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    ),
    # Smaller than its crop: a border is added.
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 51, "width": 64}),
    SiglipImageProcessorPil(size={"height": 64, "width": 96}),
    SiglipImageProcessorPil(resample=2, rescale_factor=1 / 127.5),
    ViTImageProcessorPil(size={"height": 40, "width": 40}),
]


def noise(width: int, height: int, *, seed: int = 0) -> Pixels:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pixels(width, height, rgb.tobytes())


def assert_equal(processor: Any, pixels: Pixels) -> None:  # noqa: ANN401 - any image processor
    image = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.rgb)
    expected = processor(images=image, return_tensors="np")["pixel_values"]
    preprocessing = Preprocessing.of(processor)
    values = preprocessing(pixels)
    assert expected.dtype == values.dtype
    assert np.array_equal(expected, values)
    stored = Preprocessing.from_json(json.loads(json.dumps(asdict(preprocessing))))
    assert np.array_equal(expected, stored(pixels))


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("size", [(64, 64), (1, 1), (1, 400), (400, 1), (225, 224), (640, 480)])
def test_every_bit_equals_that_of_transformers(processor: object, size: tuple[int, int]) -> None:
    assert_equal(processor, noise(*size))


@given(
    processor=st.sampled_from(PROCESSORS),
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    seed=st.integers(0, 1000),
)
def test_every_bit_equals_that_of_transformers_at_any_size(
    processor: object, width: int, height: int, seed: int
) -> None:
    assert_equal(processor, noise(width, height, seed=seed))


def test_the_input_side_is_the_shorter_side_of_the_resized_picture() -> None:
    assert [224, 65, 72, 32, 96] == [Preprocessing.of(each).input_side for each in PROCESSORS[:5]]


class Inverted(CLIPImageProcessorPil):
    def normalize(self, image: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the base
        return super().normalize(255 - image, *args, **kwargs)


@pytest.mark.parametrize(
    "processor",
    [
        Inverted(),
        Siglip2ImageProcessorPil(),
        CLIPImageProcessorPil(do_normalize=False),
        CLIPImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 80}),
        CLIPImageProcessorPil(do_pad=True),
    ],
)
def test_a_processor_with_other_steps_is_not_understood(processor: object) -> None:
    with pytest.raises(NotRunnableError, match="has steps of its own"):
        Preprocessing.of(processor)
