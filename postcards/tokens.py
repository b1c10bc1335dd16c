"""CLIP's tokenizer over the words of the captions: each is one token, all others fall apart."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from postcards import grammar
from postcards.lexicon import KNOWN
from postcards.scenes import COLOURS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from postcards.lexicon import Lexicon

CONTEXT = 77
"""The longest text in tokens, both of its ends included: as in OpenAI's CLIP."""

WORD_END = "</w>"
BEGINNING, END = "<|startoftext|>", "<|endoftext|>"

WORD = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")
"""CLIP's own pattern, as far as captions need it: they are in lower case and in ASCII."""


def caption_words() -> list[str]:
    """Return every word that captions to train with are made of, but for those made up."""
    phrases = [
        *_phrases(KNOWN),
        *grammar.OPENINGS,
        *grammar.FILLERS,
        *(form for forms in grammar.COUNTS.values() for form in forms),
        *(form for forms in grammar.SIZES.values() for form in forms),
        *(form for forms in grammar.PLACES.values() for form in forms),
        *COLOURS,
        *PLACES,
        "a an the with and something over above near by before sunny sunshine stars starry on",
    ]
    return sorted({word for phrase in phrases for word in WORD.findall(phrase) if word.isalpha()})


def _phrases(lexicon: Lexicon) -> Iterator[str]:
    for names in lexicon.things.values():
        for one, many in names:
            yield from (one, many)
    for places in lexicon.settings.values():
        for place in places:
            yield from (place.preposition, place.noun)
    for manner in (*lexicon.times.values(), *lexicon.weathers.values()):
        yield from (*manner.adverbs, *manner.nouns, *manner.adjectives)


def make_tokenizer(words: Iterable[str]) -> CLIPTokenizer:
    """Return CLIP's tokenizer with an alphabet of bytes and merges learnt from ``words``.

    Every text can be written with it: what was not learnt falls apart into bytes.
    """
    merges = learn_merges(words)
    # Pairs are what it takes, whatever its annotation says.
    return CLIPTokenizer(_vocabulary(merges), merges, model_max_length=CONTEXT)  # type: ignore[arg-type]


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Learn byte pair encoding (Sennrich et al., 2016) until every word is one token.

    Ties go by the alphabet, where the trainer of ``tokenizers`` leaves them to chance.
    """
    spellings = [_letters(word) for word in words]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for letters in spellings for pair in pairwise(letters)):
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        for letters in spellings:
            _merge(letters, merges[-1])
    return merges


class CaptionTokens:
    """Captions as token ids, now and then spelled otherwise than the tokenizer would.

    BPE-dropout (Provilkov et al., 2020) teaches what parts of words mean, and with them words
    that were never seen whole.
    """

    def __init__(
        self, words: Sequence[str], *, dropout: float = 0.0, merge_dropout: float = 0.25
    ) -> None:
        merges = learn_merges(words)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._ids = _vocabulary(merges)
        self._dropout = dropout
        self._merge_dropout = merge_dropout
        self._known: dict[str, list[int]] = {}

    def encode(self, caption: str, random: Random) -> list[int]:
        """Return ids, both ends included, at most CONTEXT of them."""
        ids = [self._ids[BEGINNING]]
        for word in WORD.findall(caption):
            if random.random() < self._dropout:
                ids += self._spell(word, random)
            else:
                ids += self._known.get(word) or self._remember(word)
        return [*ids[: CONTEXT - 1], self._ids[END]]

    def _remember(self, word: str) -> list[int]:
        ids = self._known[word] = self._spell(word, None)
        return ids

    def _spell(self, word: str, random: Random | None) -> list[int]:
        letters = _letters(word)
        while True:
            pairs = [
                (self._ranks[pair], place)
                for place, pair in enumerate(pairwise(letters))
                if pair in self._ranks
                and (random is None or random.random() >= self._merge_dropout)
            ]
            if not pairs:
                return [self._ids[part] for part in letters]
            _, place = min(pairs)
            letters[place : place + 2] = ["".join(letters[place : place + 2])]


def _vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Give tokens numbers in OpenAI's order: bytes, those that end a word, merges, both ends."""
    alphabet = sorted(ByteLevel.alphabet())
    tokens = [
        *alphabet,
        *(byte + WORD_END for byte in alphabet),
        *(left + right for left, right in merges),
        BEGINNING,
        END,
    ]
    return {token: place for place, token in enumerate(tokens)}


def _letters(word: str) -> list[str]:
    return [*word[:-1], word[-1] + WORD_END]


def _merge(letters: list[str], pair: tuple[str, str]) -> None:
    place = 0
    while place < len(letters) - 1:
        if (letters[place], letters[place + 1]) == pair:
            letters[place : place + 2] = ["".join(pair)]
        place += 1
