"""The small CLIP of the box, before it has learnt anything, and how it is kept in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

from postcards.tokens import CONTEXT

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

SIDE = 72
"""Pixels of the square that a postcard is squeezed into: all of it is looked at."""

PATCH = 12
DIMENSIONS = 192
MEAN = (0.5, 0.5, 0.5)
DEVIATION = (0.25, 0.25, 0.25)


def make_model(tokenizer: CLIPTokenizer, *, seed: int = 0) -> CLIPModel:
    """Return an untrained model. One seed, one model."""
    config = CLIPConfig(
        text_config={
            **_tower(width=128, depth=3),
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**_tower(width=192, depth=6), "image_size": SIDE, "patch_size": PATCH},
        projection_dim=DIMENSIONS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPModel(config)


def make_processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """Return what prepares pictures and texts for the model."""
    return CLIPProcessor(  # type: ignore[no-untyped-call]  # transformers types it not
        CLIPImageProcessorPil(
            size={"height": SIDE, "width": SIDE},
            do_center_crop=False,
            image_mean=list(MEAN),
            image_std=list(DEVIATION),
        ),
        tokenizer,
    )


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write model, tokenizer and processor as transformers lays them out, in half precision."""
    # Its own, and not the model's: that one may go on learning.
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights)
    make_processor(tokenizer).save_pretrained(folder)


def _tower(*, width: int, depth: int) -> dict[str, object]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 32,
        "num_hidden_layers": depth,
        # As exact as any, and fused where quick_gelu is not.
        "hidden_act": "gelu",
    }
