"""Tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.images import MAX_TAGS_PER_IMAGE
from domain.entities.tags import (
    MAX_TAG_CHARACTERS,
    MAX_TAGS_PER_CALL,
    clean_tags,
)
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.catalog import MemoryCatalog


def test_tags_are_trimmed_sorted_and_without_duplicates() -> None:
    assert clean_tags(["sea ", " two\n words", "Sea", "sea"]) == ("Sea", "sea", "two words")


def test_two_spellings_of_one_word_in_unicode_are_one_tag() -> None:
    assert clean_tags(["cafe\u0301", "caf\u00e9"]) == ("café",)


def test_no_tags_stay_no_tags() -> None:
    assert clean_tags([]) == ()


def test_runs_of_any_white_space_become_one_space() -> None:
    assert clean_tags(["\u3000東京\u3000タワー", "東京\u00a0 タワー"]) == ("東京 タワー",)


@pytest.mark.parametrize("tag", ["नमस्\u200dते", "👨\u200d👩\u200d👧"])
def test_words_and_emoji_with_joiners_are_valid_tags(tag: str) -> None:
    assert (tag,) == clean_tags([tag])


def test_tags_at_the_limits_are_accepted() -> None:
    tags = [f"{number:0{MAX_TAG_CHARACTERS}}" for number in range(MAX_TAGS_PER_CALL)]
    assert tuple(tags) == clean_tags(reversed(tags))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["a", " \t "], "A tag is empty; leave it out or give it a word."),
        (["x" * 65], "The tag “xxxxxxxxxxxxxxxxxxxx…” has 65 characters; at most 64 fit."),
        (["a\0b"], r"The tag 'a\x00b' has control characters in it; leave them out."),
        (
            ["\ud800" + "x" * 99],
            r"The tag '\ud800xxxxxxxxxxxxxxxxxxx' has control characters in it; leave them out.",
        ),
        ([str(number) for number in range(51)], "51 tags are too many; send at most 50."),
    ],
)
def test_an_invalid_tag_is_refused_with_the_way_out(tags: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        clean_tags(tags)
    assert refusal.value.location == ("tags",)
    assert message == refusal.value.message


@given(st.lists(st.text(max_size=70), max_size=60))
def test_cleaning_tags_is_idempotent_and_every_refusal_can_be_encoded(tags: list[str]) -> None:
    try:
        cleaned = clean_tags(tags)
    except InvalidArgument as refusal:
        answer = refusal.message
    else:
        answer = "".join(cleaned)
        assert cleaned == clean_tags(cleaned)
        assert tuple(sorted(set(cleaned))) == cleaned
    assert answer == answer.encode().decode()


async def test_an_image_has_two_hundred_tags_at_most(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file(), "boat.png")])
    assert isinstance(outcome, UploadedImage)
    for start in range(0, MAX_TAGS_PER_IMAGE, MAX_TAGS_PER_CALL):
        tags = [f"tag {number}" for number in range(start, start + MAX_TAGS_PER_CALL)]
        await use_cases.tag([outcome.image.id], tags)
    sentence = "“boat.png” would have 201 tags; at most 200 fit. Take some off first."
    with pytest.raises(InvalidArgument, match=sentence):
        await use_cases.tag([outcome.image.id], ["tag 1", "one more"])
    [refused] = await use_cases.upload([upload(picture_file())], tags=["one more"])
    assert isinstance(refused, InvalidArgument)
    assert sentence == refused.message
    [image] = (await catalog.get([outcome.image.id])).values()
    assert MAX_TAGS_PER_IMAGE == len(image.tags)
