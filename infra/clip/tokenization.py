"""Tokenizes texts as transformers does, with the libraries beneath it alone."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from infra.clip.engine import NotRunnableError, next_power_of_two, without_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer as RustTokenizer

WORD_START = "▁"
"""How SentencePiece writes the space before a word."""

MIN_LENGTH = 8
"""Of masked texts, in tokens. Longer ones are padded to powers of two."""

PUNCTUATION = str.maketrans("", "", string.punctuation)


class Tokenizer(Protocol):
    """Makes the inputs of a text tower."""

    def __call__(self, texts: list[str]) -> dict[str, NDArray[np.int64]]:
        """Return the token ids, and the mask of what is no padding, each (texts, tokens)."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """How a model takes token ids, in addition to its vocabulary."""

    file: str
    """The name of the vocabulary's file, which tells the library that reads it."""
    context_length: int
    """The maximum number of tokens; texts are truncated to it."""
    attends_to_padding: bool
    """Whether texts are padded to the context length, and the padding is not masked."""
    pad_token: str
    pad_id: int
    padding_side: str
    special_tokens: Mapping[str, int]


def pad_to_step(
    inputs: Mapping[str, NDArray[np.int64]], tokens: Tokens
) -> dict[str, NDArray[np.int64]]:
    """Pad masked texts to one of a few lengths, at most the context length.

    Padding in front would change the positions of the tokens, so such texts stay as they are.
    """
    if "attention_mask" not in inputs or tokens.padding_side != "right":
        return dict(inputs)
    length = inputs["input_ids"].shape[1]
    step = min(max(MIN_LENGTH, next_power_of_two(length)), tokens.context_length)
    padding = ((0, 0), (0, step - length))
    return {
        name: np.pad(ids, padding, constant_values=tokens.pad_id if name == "input_ids" else 0)
        for name, ids in inputs.items()
    }


VOCABULARY, SENTENCE_PIECES = "tokenizer.json", "spiece.model"


def save_tokenizer(
    tokenizer: Any,  # noqa: ANN401 - any tokenizer of transformers
    folder: Path,
    *,
    context_length: int,
    attends_to_padding: bool,
) -> Tokens:
    """Write the vocabulary of a tokenizer of transformers. Raises NotRunnableError."""
    if backend := getattr(tokenizer, "backend_tokenizer", None):
        file = VOCABULARY
        (folder / file).write_text(backend.to_str(), "utf-8")
    elif type(tokenizer).__name__ == "SiglipTokenizer" and tokenizer.do_lower_case:
        file = SENTENCE_PIECES
        (folder / file).write_bytes(tokenizer.sp_model.serialized_model_proto())
    else:
        raise NotRunnableError(f"the tokenizer {type(tokenizer).__name__} has steps of its own")
    unexpected = {*tokenizer.model_input_names} - {"input_ids", "attention_mask"}
    if unexpected:
        raise NotRunnableError(f"the text tower takes {min(unexpected)}")
    return Tokens(
        file,
        context_length=context_length,
        attends_to_padding=attends_to_padding,
        pad_token=tokenizer.pad_token,
        pad_id=tokenizer.pad_token_id,
        padding_side=tokenizer.padding_side,
        special_tokens={
            token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens
        },
    )


def load_tokenizer(folder: Path, tokens: Tokens) -> Tokenizer:
    """Read the vocabulary that ``save_tokenizer`` wrote."""
    if tokens.file == SENTENCE_PIECES:
        from sentencepiece import SentencePieceProcessor  # noqa: PLC0415 - for SigLIP only

        pieces = SentencePieceProcessor()
        pieces.LoadFromSerializedProto((folder / tokens.file).read_bytes())
        return SiglipPieces(pieces, tokens)
    from tokenizers import Tokenizer as RustTokenizer  # noqa: PLC0415 - not for SigLIP

    tokenizer = RustTokenizer.from_file(str(folder / tokens.file))
    tokenizer.enable_truncation(tokens.context_length)
    tokenizer.enable_padding(
        direction=tokens.padding_side,
        pad_id=tokens.pad_id,
        pad_token=tokens.pad_token,
        length=tokens.context_length if tokens.attends_to_padding else None,
    )
    return FastTokenizer(tokenizer, masked=not tokens.attends_to_padding)


@dataclass(frozen=True, slots=True)
class FastTokenizer:
    """A tokenizer of the library tokenizers, which does everything by itself."""

    tokenizer: RustTokenizer
    masked: bool

    def __call__(self, texts: list[str]) -> dict[str, NDArray[np.int64]]:
        encodings = self.tokenizer.encode_batch([without_surrogates(text) for text in texts])
        inputs = {"input_ids": np.array([each.ids for each in encodings], np.int64)}
        if self.masked:
            masks = [each.attention_mask for each in encodings]
            inputs["attention_mask"] = np.array(masks, np.int64)
        return inputs


@dataclass(frozen=True, slots=True)
class SiglipPieces:
    """SigLIP's tokenizer: the SentencePiece of T5 over texts without case and punctuation."""

    pieces: SentencePieceProcessor
    tokens: Tokens

    def __call__(self, texts: list[str]) -> dict[str, NDArray[np.int64]]:
        return {
            "input_ids": np.array([self._ids(without_surrogates(text)) for text in texts], np.int64)
        }

    def _ids(self, text: str) -> list[int]:
        length, end = self.tokens.context_length, self.pieces.eos_id()
        special = self.tokens.special_tokens
        ids = [
            special[piece] if piece in special else self.pieces.piece_to_id(piece)
            for piece in self._split(WORD_START + text.replace(WORD_START, " "))
        ][: length - 1]
        if ids[-1:] != [end]:
            ids.append(end)
        return ids + [self.tokens.pad_id] * (length - len(ids))

    def _split(self, text: str) -> list[str]:
        """Return the pieces of a text, in which special tokens may be written out."""
        special = self.tokens.special_tokens
        # A special token takes the space around it.
        pattern = rf"\s*({'|'.join(map(re.escape, special))})\s*"
        pieces: list[str] = []
        for part in filter(None, re.split(pattern, text)):
            pieces += [part] if part in special else self._encode(part)
        starts_empty = len(pieces) > 1 and pieces[0] == WORD_START and pieces[1] in special
        return pieces[1:] if starts_empty else pieces

    def _encode(self, text: str) -> list[str]:
        text = re.sub(r"\s+", " ", text.lower().translate(PUNCTUATION)).strip()
        # SentencePiece strips the spaces in front. Behind the unknown token they are kept.
        unknown = self.pieces.id_to_piece(self.pieces.unk_id())
        prefix = len(self.pieces.encode(unknown))
        pieces: list[str] = self.pieces.encode(unknown + text, out_type=str)
        return pieces[prefix:]
