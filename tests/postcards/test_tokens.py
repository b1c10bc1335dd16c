"""The tokenizer of the bundled model: one token per known word, several for any other."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoProcessor

from postcards.architecture import make_model, save
from postcards.descriptions import describe_fully
from postcards.grammar import TRAINING_GRAMMAR
from postcards.scenes import compose
from postcards.tokens import CONTEXT_LENGTH, CaptionTokenizer, caption_words, learn_merges
from tests.checkpoints import caption_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

WORDS = caption_words()
TOKENIZER = caption_tokenizer()
CAPTION_TOKENIZER = CaptionTokenizer(WORDS)
TOKENIZER_WITH_DROPOUT = CaptionTokenizer(WORDS, dropout=1.0, merge_dropout=0.5)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_same_seed_gives_the_same_model_file(tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        save(make_model(TOKENIZER, seed=seed), TOKENIZER, tmp_path / name)
    first, second, third = (contents(tmp_path / name) for name in ("first", "second", "third"))

    assert first == second
    assert first["tokenizer.json"] == third["tokenizer.json"]
    assert first["model.safetensors"] != third["model.safetensors"]


def test_a_known_word_is_one_token_and_any_other_word_becomes_bytes(tmp_path: Path) -> None:
    save(make_model(TOKENIZER), TOKENIZER, tmp_path)
    tokenizer = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        tmp_path
    ).tokenizer

    assert ["lighthouse</w>", "snow</w>"] == tokenizer.tokenize("Lighthouse snow")
    assert (
        tokenizer.unk_token_id not in tokenizer("日本 über 🦉", add_special_tokens=False).input_ids
    )
    assert 77 == len(tokenizer(" ".join(WORDS), truncation=True).input_ids)
    assert all(1 == len(tokenizer.tokenize(word)) for word in WORDS)


def test_merges_do_not_depend_on_the_order_of_the_words() -> None:
    assert learn_merges(WORDS) == learn_merges(WORDS[::-1])


@given(st.integers(0, 10_000))
def test_without_dropout_ids_equal_those_of_the_tokenizer(seed: int) -> None:
    random = Random(seed)
    caption = TRAINING_GRAMMAR.caption(describe_fully(compose(seed)), random)
    expected = TOKENIZER(caption, truncation=True, max_length=CONTEXT_LENGTH).input_ids
    assert expected == CAPTION_TOKENIZER.encode(caption, random)


@given(st.integers(0, 10_000))
def test_dropout_changes_the_tokens_and_never_the_text(seed: int) -> None:
    caption = "two yellow lighthouses, a snowy harbour"
    ids = TOKENIZER_WITH_DROPOUT.encode(caption, Random(seed))
    assert len(ids) > len(CAPTION_TOKENIZER.encode(caption, Random(seed)))
    text = str(TOKENIZER.decode(ids, skip_special_tokens=True))
    assert caption.replace(" ", "") == text.replace(" ", "")
