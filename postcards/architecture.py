"""The architecture of the bundled CLIP, its preprocessing, and how a checkpoint is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

from postcards.tokens import CONTEXT_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

IMAGE_SIDE_PIXELS = 72
"""The side of the model's square input. A postcard is resized to it without a crop."""

PATCH_SIDE_PIXELS = 12
EMBEDDING_DIMENSIONS = 192
PIXEL_MEAN = (0.5, 0.5, 0.5)
PIXEL_STD = (0.25, 0.25, 0.25)


def make_model(tokenizer: CLIPTokenizer, *, seed: int = 0) -> CLIPModel:
    """Return an untrained model. The same seed gives the same weights."""
    config = CLIPConfig(
        text_config={
            **_tower(width=128, depth=3),
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT_LENGTH,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            **_tower(width=192, depth=6),
            "image_size": IMAGE_SIDE_PIXELS,
            "patch_size": PATCH_SIDE_PIXELS,
        },
        projection_dim=EMBEDDING_DIMENSIONS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPModel(config)


def make_processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """Return the processor that prepares pictures and texts for the model."""
    return CLIPProcessor(  # type: ignore[no-untyped-call]  # transformers does not type it
        CLIPImageProcessorPil(
            size={"height": IMAGE_SIDE_PIXELS, "width": IMAGE_SIDE_PIXELS},
            do_center_crop=False,
            image_mean=list(PIXEL_MEAN),
            image_std=list(PIXEL_STD),
        ),
        tokenizer,
    )


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write model, tokenizer and processor in the layout of transformers, in half precision."""
    # Copies, not the tensors of the model: its training may continue in full precision.
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=weights)
    make_processor(tokenizer).save_pretrained(folder)


def _tower(*, width: int, depth: int) -> dict[str, object]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": width // 32,
        "num_hidden_layers": depth,
        # As accurate as quick_gelu, and a fused kernel exists for it.
        "hidden_act": "gelu",
    }
