"""The throughput of the encoder, compared with bare forward passes of the same model.

``python -m benchmarks.encoder [FOLDER]`` runs for half a minute. Without a checkpoint it measures a
model of the size of openai/clip-vit-base-patch32 with random weights, which is equally fast.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, logging

from domain.entities.images import Pixels
from infra.clip.encoder import ClipEncoder
from infra.clip.engines import EngineOptions
from postcards.tokens import caption_words, make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.clip.dual_encoder import DualEncoder

MEASURE_SECONDS = 3.0
CALLER_COUNTS = (1, 16)
WIDTH, HEIGHT = 640, 480


def make_b32_checkpoint(folder: Path) -> None:
    """Write a checkpoint with random weights in the size of ViT-B/32: 151 million parameters.

    The defaults of transformers are those of B/32.
    """
    tokenizer = make_tokenizer(caption_words())
    config = CLIPConfig(text_config={"eos_token_id": tokenizer.eos_token_id})
    torch.manual_seed(0)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    CLIPModel(config).save_pretrained(folder)
    processor = CLIPProcessor(CLIPImageProcessorPil(), tokenizer)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)


def make_picture() -> Pixels:
    rgb = np.random.default_rng(0).integers(0, 256, WIDTH * HEIGHT * 3, dtype=np.uint8)
    return Pixels(WIDTH, HEIGHT, rgb.tobytes())


def captions() -> itertools.cycle[str]:
    """Return an endless series of captions of six words. No cache has an embedding of them."""
    words = caption_words()
    return itertools.cycle(
        f"{a} {b} {c} on the {d}" for a, b, c, d in itertools.product(words[80:], repeat=4)
    )


async def rate(call: Callable[[], Awaitable[object]], callers: int) -> float:
    """Return the calls per second of this many concurrent callers."""
    done = 0
    end = time.perf_counter() + MEASURE_SECONDS

    async def call_repeatedly() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    await call()
    start = time.perf_counter()
    await asyncio.gather(*(call_repeatedly() for _ in range(callers)))
    return done / (time.perf_counter() - start)


def bare_rate(run: Callable[[], object], size: int) -> float:
    """Return the items per second of repeated forward passes over ``size`` items."""
    with torch.inference_mode():
        run()
        passes, start = 0, time.perf_counter()
        while time.perf_counter() < start + MEASURE_SECONDS:
            run()
            passes += 1
    return passes * size / (time.perf_counter() - start)


def bare_pass(dual: DualEncoder, kind: str, texts: list[str]) -> Callable[[], object]:
    """Return a forward pass over one preprocessed batch in memory."""
    if kind == "texts":
        tokens = dual.tokenizer(texts, padding=True, return_tensors="pt").to(dual.model.device)
        return lambda: dual.model.get_text_features(**tokens)
    values = dual.preprocess(make_picture()).tensors["pixel_values"].to(dual.model.device)
    values = values.expand(len(texts), -1, -1, -1).contiguous()
    return lambda: dual.model.get_image_features(values)


async def measure(folder: Path) -> None:
    """Print a line for each kind of input and each number of callers."""
    picture = make_picture()
    texts = captions()
    async with ClipEncoder.open(str(folder), EngineOptions("torch")) as encoder:
        dual = cast("DualEncoder", encoder.engine)
        print(f"{encoder.model.name}: {dual.description}, {torch.get_num_threads()} threads")
        rates = {
            (kind, callers): await rate(call, callers)
            for kind, call in {
                "texts": lambda: encoder.encode_texts([next(texts)]),
                "pictures": lambda: encoder.encode_images([picture]),
            }.items()
            for callers in CALLER_COUNTS
        }
        batches = {
            "texts": lambda callers: min(callers, encoder.text_queue.batch_size),
            "pictures": lambda callers: min(callers, encoder.image_queue.batch_size),
        }
    print(f"{'':10}{'callers':>8}{'encoder/s':>11}{'forward/s':>11}{'ratio':>7}")
    for (kind, callers), throughput in rates.items():
        batch = batches[kind](callers)
        bare = bare_rate(bare_pass(dual, kind, [next(texts) for _ in range(batch)]), batch)
        print(f"{kind:10}{callers:8}{throughput:11.1f}{bare:11.1f}{throughput / bare:7.2f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        if len(sys.argv) == 1:
            make_b32_checkpoint(folder)
        asyncio.run(measure(folder))


if __name__ == "__main__":
    main()
