"""A small CLIP checkpoint of true layout with random weights: it runs, and finds nothing.

``python -m postcards.checkpoint FOLDER`` writes one.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    logging,
)

CONTEXT = 77
"""The longest text in tokens, both of its ends included: as in OpenAI's CLIP."""

WORD_END = "</w>"

WORDS = """
a an the of on in at with and over under beside between before behind near by to from
red orange yellow green blue purple pink brown black white grey silver golden dark bright pale
one two three four five many few small large tall round old new wooden snowy sunny cloudy rainy
photo photograph picture postcard drawing view scene portrait landscape
sun moon star sky cloud rain snow rainbow sunrise sunset night day evening morning winter summer
sea ocean beach wave sand island lake river waterfall mountain hill valley forest field desert
tree flower leaf grass garden rose tulip sunflower palm pine apple orange lemon cherry mushroom
house castle church tower bridge lighthouse windmill barn tent street road city village harbour
car bus train tram bicycle boat ship sailboat balloon kite aeroplane tractor lorry
cat dog horse cow sheep bird fish duck swan owl butterfly rabbit fox bear elephant camel
person woman man child people crowd standing sitting running flying swimming sleeping
"""


def make_checkpoint(folder: Path, *, seed: int = 0, dimensions: int = 64) -> None:
    """Write model, tokenizer and processor as transformers lays them out. One seed, one model."""
    tokenizer = make_tokenizer(WORDS.split())
    layers = {
        "hidden_size": dimensions,
        "intermediate_size": 2 * dimensions,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
    }
    side = 64
    config = CLIPConfig(
        text_config={
            **layers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**layers, "image_size": side, "patch_size": 8},
        projection_dim=dimensions,
    )
    processor = CLIPProcessor(  # type: ignore[no-untyped-call]  # transformers types it not
        CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        tokenizer,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def make_tokenizer(words: list[str]) -> CLIPTokenizer:
    """Return CLIP's tokenizer with an alphabet of bytes and merges learnt from ``words``.

    Every text can be written with it: what was not learnt falls apart into bytes.
    """
    merges = learn_merges(words)
    alphabet = sorted(ByteLevel.alphabet())
    # The order of OpenAI's: bytes, bytes that end a word, merges, and the end of text last.
    tokens = [
        *alphabet,
        *(byte + WORD_END for byte in alphabet),
        *(left + right for left, right in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    # Pairs are what it takes, whatever its annotation says.
    return CLIPTokenizer(vocabulary, merges, model_max_length=CONTEXT)  # type: ignore[arg-type]


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Learn byte pair encoding (Sennrich et al., 2016) until every word is one token.

    Ties go by the alphabet, where the trainer of ``tokenizers`` leaves them to chance.
    """
    spellings = [[*word[:-1], word[-1] + WORD_END] for word in words]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for letters in spellings for pair in pairwise(letters)):
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        for letters in spellings:
            _merge(letters, merges[-1])
    return merges


def _merge(letters: list[str], pair: tuple[str, str]) -> None:
    place = 0
    while place < len(letters) - 1:
        if (letters[place], letters[place + 1]) == pair:
            letters[place : place + 2] = ["".join(pair)]
        place += 1


def main() -> None:
    """Write a checkpoint where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m postcards.checkpoint", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
    make_checkpoint(arguments.folder, seed=arguments.seed)


if __name__ == "__main__":
    main()
