"""``python -m benchmarks.quantised``: a quantised model beside the model that it was made of.

It quantises a checkpoint by postcards, and prints what that costs in recall, and the speed of both
models, which are measured alternately in one process. ``--model`` takes another checkpoint than the
one of true size with random weights.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.encoder_process import CACHE
from benchmarks.texts import texts_of
from benchmarks.true_size_model import cached_checkpoint
from domain.entities.images import Pixels
from infra.clip.concepts import read_concepts
from infra.clip.converted_model import ModelCache
from infra.clip.engines import EngineOptions, load
from infra.clip.quantisation import quantise
from postcards.painting.postcard import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.clip.engine import Engine

SIDES = (320, 240)
PICTURES = 200
BATCH = 16
TOKENS = 16
ROUNDS = 10
CONCEPT_STEP = 10


def postcard(number: int) -> Pixels:
    _, painted = draw(number, SIDES)
    return Pixels(*SIDES, painted.convert("RGB").tobytes())


def milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1_000 * (time.perf_counter() - began)


def compare(engines: dict[str, Engine], picture: Pixels, rounds: int, console: Console) -> None:
    """Print the median times of each engine, measured in turn."""
    text = next(texts_of(TOKENS))
    texts: dict[str, list[float]] = {name: [] for name in engines}
    images: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            inputs = [engine.preprocess(picture)] * BATCH
            text_time = milliseconds(partial(engine.encode_texts, [text]))
            image_time = milliseconds(partial(engine.encode_images, inputs))
            if number:  # the first round compiles
                texts[name].append(text_time)
                images[name].append(image_time)
    for name, engine in engines.items():
        console.print(
            f"{name} ({engine.description}): text of {TOKENS} tokens "
            f"{statistics.median(texts[name]):.1f} ms, pictures in batches of {BATCH} "
            f"{1_000 * BATCH / statistics.median(images[name]):.1f}/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantised", description=__doc__)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    parser.add_argument("--pictures", type=int, default=PICTURES, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    options = parser.parse_args()
    console = Console(highlight=False)
    cache = ModelCache(((CACHE / "converted").absolute(),))
    engine_options = EngineOptions("openvino", cache=cache)
    with console.status("checkpoint and pictures"):
        checkpoint = str(options.model or cached_checkpoint(CACHE / "b32"))
        pictures = [postcard(number) for number in range(options.pictures)]
        _, original = load(checkpoint, engine_options)
    with console.status("quantising"):
        quantised = quantise(checkpoint, pictures, read_concepts()[::CONCEPT_STEP], cache)
    console.print(quantised)
    _, smaller = load(quantised.name, engine_options)
    compare({"original": original, "int8": smaller}, pictures[0], options.rounds, console)


if __name__ == "__main__":
    main()
