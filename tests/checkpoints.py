"""Checkpoints with the layout of real models and random weights."""

from __future__ import annotations

import io
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sentencepiece
import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    PreTrainedModel,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
    SiglipTokenizer,
)

from postcards.tokens import CONTEXT_LENGTH, caption_words, learn_merges, make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED_CLIP = Path(__file__).parents[2] / "shared" / "data" / "clip-tokenizer"
CLIP_SIDE = 64
SIGLIP_SIDE = 64
SIGLIP_CONTEXT = 64
LAYERS = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
}


@cache
def caption_tokenizer() -> CLIPTokenizer:
    """The tokenizer of the bundled model. Cached: with coverage, training it takes seconds."""
    return make_tokenizer(caption_words())


def small_clip(folder: Path, *, seed: int = 0, dimensions: int = 64) -> Path:
    """CLIP's layout at 64 pixels a side; a megabyte at most."""
    tokenizer = caption_tokenizer()
    layers = {**LAYERS, "hidden_size": dimensions, "intermediate_size": 2 * dimensions}
    config = CLIPConfig(
        text_config={
            **layers,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT_LENGTH,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**layers, "image_size": CLIP_SIDE, "patch_size": 8},
        projection_dim=dimensions,
    )
    _save(folder, lambda: CLIPModel(config), seed=seed)
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": CLIP_SIDE}, crop_size={"height": CLIP_SIDE, "width": CLIP_SIDE}
    )
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return folder


def small_siglip(folder: Path) -> Path:
    """SigLIP's layout with its SentencePiece tokenizer."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(caption_words()),
        model_writer=model,
        vocab_size=300,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=2,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "spiece.model"
    vocabulary.write_bytes(model.getvalue())
    tokenizer = SiglipTokenizer(
        str(vocabulary), model_max_length=SIGLIP_CONTEXT, model_input_names=["input_ids"]
    )
    return _siglip(folder, tokenizer)


def small_siglip2(folder: Path) -> Path:
    """The layout of SigLIP 2 at a fixed resolution: SigLIP's model, a Gemma-like tokenizer."""
    return _siglip(folder, _gemma_like())


def small_naflex(folder: Path) -> Path:
    """The layout of SigLIP 2 NaFlex, which keeps a picture's aspect ratio."""
    tokenizer = _gemma_like()
    config = Siglip2Config(
        text_config=_text_tower(tokenizer),
        vision_config={**LAYERS, "num_patches": 256, "patch_size": 16},
    )
    _save(folder, lambda: Siglip2Model(config))
    processor = Siglip2Processor(  # type: ignore[no-untyped-call]
        Siglip2ImageProcessorPil(), tokenizer
    )
    processor.save_pretrained(folder)
    return folder


def full_size_clip(folder: Path) -> Path:
    """``openai/clip-vit-base-patch32`` with 151 million random weights, from a seed."""
    if not SHARED_CLIP.is_dir():
        pytest.skip(f"{SHARED_CLIP} is missing: it holds CLIP's configuration and tokenizer")
    folder.mkdir(parents=True, exist_ok=True)
    for file in SHARED_CLIP.glob("*.json"):
        shutil.copy(file, folder)
    shutil.copy(SHARED_CLIP / "merges.txt", folder)
    _save(folder, lambda: CLIPModel(CLIPConfig.from_pretrained(SHARED_CLIP)))
    return folder


def _siglip(folder: Path, tokenizer: SiglipTokenizer | Siglip2Tokenizer) -> Path:
    config = SiglipConfig(
        text_config=_text_tower(tokenizer),
        vision_config={**LAYERS, "image_size": SIGLIP_SIDE, "patch_size": 8},
    )
    _save(folder, lambda: SiglipModel(config))
    pictures = SiglipImageProcessorPil(size={"height": SIGLIP_SIDE, "width": SIGLIP_SIDE})
    processor = SiglipProcessor(pictures, tokenizer)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)
    return folder


def _text_tower(tokenizer: SiglipTokenizer | Siglip2Tokenizer) -> dict[str, int]:
    return {
        **LAYERS,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": SIGLIP_CONTEXT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_size": LAYERS["hidden_size"],
    }


def _save(folder: Path, make_model: Callable[[], PreTrainedModel], *, seed: int = 0) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        make_model().save_pretrained(folder)


@cache
def _gemma_like() -> Siglip2Tokenizer:
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz"]
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *letters]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    merges = [pair for pair in learn_merges(caption_words()) if "</w>" not in "".join(pair)]
    tokens += ["".join(pair) for pair in merges]
    return Siglip2Tokenizer(
        {token: place for place, token in enumerate(tokens)},
        merges,  # type: ignore[arg-type]  # it takes pairs, though its annotation says strings
        padding_side="right",
        model_input_names=["input_ids"],
    )
