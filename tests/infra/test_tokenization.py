"""Tokenization without transformers, compared with its tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer, BertTokenizer

from infra.clip.engine import NotRunnableError, without_surrogates
from infra.clip.tokenization import load_tokenizer, save_tokenizer
from tests.checkpoints import SHARED_CLIP, small_clip, small_siglip, small_siglip2

if TYPE_CHECKING:
    from pathlib import Path

    from infra.clip.tokenization import Tokenizer

CHECKPOINTS = {"clip": small_clip, "siglip": small_siglip, "siglip2": small_siglip2}
TEXTS = [
    "",
    " ",
    "A Red boat,  on the sea!",
    "deux hérons gris, au crépuscule 🦢",
    "many words " * 100,
    "¿Qué? … ÀÉÎ ﬁ ① 漢字\t\n x",
    "\ud83d",
    "a\x00b",
    "</s>",
    "red </s> boat<unk>s <|endoftext|> snow <eos>",
    "red boat </s>",
    "▁▁ boat ▁",
]


@pytest.fixture(scope="module", params=[*CHECKPOINTS, "openai"])
def tokenizers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Tokenizer]:
    """A tokenizer of transformers, and ours from what it has saved."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "openai" and not SHARED_CLIP.is_dir():
        pytest.skip(f"{SHARED_CLIP} is missing: it holds CLIP's tokenizer")
    source = SHARED_CLIP if request.param == "openai" else CHECKPOINTS[request.param](folder)
    theirs = AutoTokenizer.from_pretrained(source)
    siglip = request.param.startswith("siglip")
    length = 64 if siglip else 77
    (folder / "saved").mkdir()
    tokens = save_tokenizer(
        theirs, folder / "saved", context_length=length, attends_to_padding=siglip
    )
    padding = {"padding": "max_length" if siglip else True, "max_length": length}

    def expected(texts: list[str]) -> Any:  # noqa: ANN401 - a class of transformers
        texts = [without_surrogates(text) for text in texts]
        return theirs(texts, truncation=True, return_tensors="np", **padding)

    return expected, load_tokenizer(folder / "saved", tokens)


# transformers warns of a text that ends with the end token.
pytestmark = pytest.mark.filterwarnings("ignore:This sequence already has")


def assert_equal(tokenizers: tuple[Any, Tokenizer], texts: list[str]) -> None:
    expected, ours = tokenizers
    theirs, inputs = expected(texts), ours(texts)
    assert theirs["input_ids"].tolist() == inputs["input_ids"].tolist()
    for name, values in inputs.items():
        assert np.array_equal(theirs[name], values)


def test_texts_in_one_batch_have_the_tokens_of_transformers(
    tokenizers: tuple[Any, Tokenizer],
) -> None:
    assert_equal(tokenizers, TEXTS)
    for text in TEXTS:
        assert_equal(tokenizers, [text])


@given(texts=st.lists(st.text(max_size=80), min_size=1, max_size=3))
@example(texts=["\u2028a\u00a0b"])
def test_any_text_has_the_tokens_of_transformers(
    tokenizers: tuple[Any, Tokenizer], texts: list[str]
) -> None:
    assert_equal(tokenizers, texts)


def test_a_tokenizer_with_other_inputs_is_not_understood(tmp_path: Path) -> None:
    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "boat": 5}
    with pytest.raises(NotRunnableError, match="takes token_type_ids"):
        save_tokenizer(BertTokenizer(words), tmp_path, context_length=77, attends_to_padding=False)


def test_a_tokenizer_of_another_kind_is_not_understood(tmp_path: Path) -> None:
    with pytest.raises(NotRunnableError, match="object has steps of its own"):
        save_tokenizer(object(), tmp_path, context_length=77, attends_to_padding=False)
