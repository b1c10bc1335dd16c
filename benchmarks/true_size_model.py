"""A checkpoint of the true size of ViT-B/32 with random weights.

It loads and runs like openai/clip-vit-base-patch32, at the same speed. What it finds means nothing.
"""

from __future__ import annotations

from pathlib import Path

from postcards.tokens import caption_words, make_tokenizer

TOKENIZER = Path(__file__).parents[2] / "shared" / "data" / "clip-tokenizer"
"""The tokenizer and the configuration of the real model, where they are available."""


def make_checkpoint(folder: Path) -> None:
    """Write the checkpoint: 151 million parameters, 600 MB."""
    # Slow imports, which only this function needs.
    import torch  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
        logging,
    )

    if TOKENIZER.exists():
        tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
        config = CLIPConfig.from_pretrained(TOKENIZER)
    else:
        tokenizer = make_tokenizer(caption_words())
        # The defaults of transformers are those of B/32.
        config = CLIPConfig(text_config={"eos_token_id": tokenizer.eos_token_id})
    torch.manual_seed(0)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    CLIPModel(config).save_pretrained(folder)
    processor = CLIPProcessor(CLIPImageProcessorPil(), tokenizer)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)


def cached_checkpoint(folder: Path) -> Path:
    """Return the folder of the checkpoint, which is made if it is missing."""
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        make_checkpoint(unfinished)
        unfinished.rename(folder)
    return folder
