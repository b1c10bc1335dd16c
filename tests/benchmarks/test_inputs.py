"""The inputs of the benchmarks: texts, pictures and vectors, in every run the same."""

from __future__ import annotations

import io
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from benchmarks.bare_engine import operations_of_image, random_pixels, random_tokens
from benchmarks.bench import CORES, in_turn, split
from benchmarks.clip_vectors import ClipGeometry
from benchmarks.photos import make_photo, with_comment
from benchmarks.stages.imports import Sample, rates
from benchmarks.texts import texts_of
from postcards.tokens import caption_words, make_tokenizer

B32 = {
    "image_size": 224,
    "patch_size": 32,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
}


@pytest.mark.parametrize("tokens", [8, 16])
def test_texts_have_the_given_number_of_tokens_and_never_repeat(tokens: int) -> None:
    tokenizer = make_tokenizer(caption_words())
    texts = list(islice(texts_of(tokens), 3_000))
    assert {tokens} == {len(tokenizer(text).input_ids) for text in texts[:200]}
    assert 3_000 == len(set(texts))
    assert texts[1_000:1_010] == list(islice(texts_of(tokens, start=1_000), 10))


def test_pictures_are_the_same_in_every_run_and_different_from_each_other() -> None:
    one, other = (make_photo(number, (400, 300)) for number in (1, 2))
    assert one == make_photo(1, (400, 300))
    assert one != other
    with Image.open(io.BytesIO(one)) as picture:
        assert ((400, 300), "JPEG") == (picture.size, picture.format)


def test_a_comment_makes_another_file_with_the_same_pixels() -> None:
    photo = make_photo(1, (40, 30))
    files = [photo, with_comment(photo, "upload 1"), with_comment(photo, "upload 2")]
    assert 3 == len(set(files))
    pictures = [Image.open(io.BytesIO(data)) for data in files]
    assert b"upload 1" == pictures[1].info["comment"]
    assert 1 == len({picture.tobytes() for picture in pictures})


def test_synthetic_vectors_have_the_geometry_of_clip() -> None:
    geometry = ClipGeometry(8_000)
    pictures, texts = geometry.picture_vectors(0, 8_000), geometry.text_vectors(200)
    for points in (pictures, texts):
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    among = pictures[:500] @ pictures.T
    among[np.arange(500), np.arange(500)] = -1
    across = texts @ pictures.T
    # Those of the recorded vectors of ViT-B/32 are .48 and .91, .18 and .30.
    assert pytest.approx(0.48, abs=0.03) == among.mean()
    assert pytest.approx(0.91, abs=0.03) == np.median(among.max(axis=1))
    assert pytest.approx(0.18, abs=0.02) == across.mean()
    assert pytest.approx(0.30, abs=0.03) == np.median(across.max(axis=1))


def test_synthetic_vectors_are_the_same_in_every_run() -> None:
    one, other = (ClipGeometry(400).picture_vectors(0, 400) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    another = ClipGeometry(400, seed=1).picture_vectors(0, 400)
    assert not np.array_equal(one, another)


def test_tokens_end_with_the_end_token() -> None:
    tokens = random_tokens(3, 16, end_token=49_407)
    assert (3, 16) == tokens.shape
    assert [49_407] * 3 == tokens[:, -1].tolist()
    assert (tokens[:, :-1] < 1_000).all()
    assert (2, 3, 64, 64) == random_pixels(2, side=64).shape


def test_the_image_tower_of_b32_takes_nine_billion_operations() -> None:
    # OpenCLIP's table of models says 4.41 billion multiplications with additions.
    assert pytest.approx(2 * 4.41e9, rel=0.02) == operations_of_image(B32)


def test_every_second_round_is_reversed() -> None:
    assert "ab" == "".join(in_turn("ab", 0))
    assert "ba" == "".join(in_turn("ab", 1))


def test_pictures_are_split_into_consecutive_parts() -> None:
    assert ["ab", "c", "de"] == list(split("abcde", (2, 1, 2)))


def test_the_rate_of_an_import_counts_from_the_listing_to_the_last_picture() -> None:
    samples = [
        Sample(0, 0, 0, 0),
        Sample(5, 0, 0, 4),  # the start of the command
        Sample(6, 12, 0, 5),
        Sample(8, 12, 8, 8),
        Sample(10, 12, 12, 11),
        Sample(14, 12, 12, 13),  # what is done after the last picture
    ]
    rate, floor = rates(samples)
    assert 12 / 4 == rate
    assert CORES / (6 / 12) == floor


def test_an_import_without_pictures_has_no_rate() -> None:
    with pytest.raises(ValueError, match="without a picture"):
        rates([Sample(0, 0, 0, 0), Sample(5, 4, 0, 4)])
