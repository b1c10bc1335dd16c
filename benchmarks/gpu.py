"""``python -m benchmarks.gpu``: the model on a GPU, beside what its matrix units allow.

It measures pictures a second from memory and from JPEG, texts a second, the best batch, and the
share of the measured speed of matrix multiplication. It ends with a sentence where no GPU is found.
``--device cpu --smoke`` runs every measurement with a tiny model, to check this program.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers import CLIPConfig, CLIPModel

from benchmarks.bare_engine import (
    matrix_rate,
    open_torch,
    operations_of_image,
    random_pixels,
    random_tokens,
)
from benchmarks.bench import median
from benchmarks.encoder_process import CACHE
from benchmarks.photos import make_photo
from benchmarks.report import number
from benchmarks.texts import TYPICAL_TOKENS
from benchmarks.true_size_model import cached_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.bare_engine import TorchEngine

MEAN_AND_DEVIATION = (0.48, 0.27)
"""About those of CLIP's image processor, for every channel."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    batches: tuple[int, ...]
    matrix_side: int
    seconds: float
    photo_size: tuple[int, int]
    photos: int


FULL = Sizes((1, 8, 32, 64, 128, 256, 512), 8192, 2.0, (4000, 3000), 64)
SMOKE = Sizes((1, 2), 64, 0.01, (400, 300), 2)
TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """The rates of a device, in items per second."""

    pictures_by_batch: dict[int, float]
    texts_by_batch: dict[int, float]
    pictures_from_jpeg: float
    matrix_limit: float
    """The pictures per second that the measured matrix multiplication would allow."""

    @property
    def best_batch(self) -> int:
        """The batch with the most pictures per second."""
        return max(self.pictures_by_batch, key=lambda batch: self.pictures_by_batch[batch])

    @property
    def share_of_limit(self) -> float:
        """The share of the matrix limit that the best batch reaches."""
        return self.pictures_by_batch[self.best_batch] / self.matrix_limit


def measure(checkpoint: Path, device: str, sizes: Sizes) -> GpuFigures:
    """Measure a checkpoint on a device."""
    target = torch.device(device)
    dtype = torch.float32 if target.type == "cpu" else torch.bfloat16
    engine = open_torch(checkpoint, device, dtype)
    config = engine.model.config
    side = config.vision_config.image_size
    tokens = {
        batch: random_tokens(batch, TYPICAL_TOKENS, end_token=config.text_config.eos_token_id)
        for batch in sizes.batches
    }
    pixels = {batch: random_pixels(batch, side=side) for batch in sizes.batches}
    pictures = {
        batch: _rate(lambda batch=batch: engine.images(pixels[batch]), batch, sizes.seconds)  # type: ignore[misc]
        for batch in sizes.batches
    }
    texts = {
        batch: _rate(lambda batch=batch: engine.texts(tokens[batch]), batch, sizes.seconds)  # type: ignore[misc]
        for batch in sizes.batches
    }
    operations = matrix_rate(target, dtype, side=sizes.matrix_side, seconds=sizes.seconds)
    return GpuFigures(
        pictures,
        texts,
        _rate_from_jpeg(engine, sizes, side=side),
        operations / operations_of_image(config.vision_config.to_dict()),
    )


def tiny_checkpoint(folder: Path) -> Path:
    """Write a checkpoint of a tiny model without a tokenizer, and return its folder."""
    CLIPModel(CLIPConfig(text_config=TINY, vision_config=TINY)).save_pretrained(folder)
    return folder


def _rate(run: Callable[[], object], items: int, seconds: float) -> float:
    """Return the items per second of the median call."""
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return items / median(times)


def _rate_from_jpeg(engine: TorchEngine, sizes: Sizes, *, side: int) -> float:
    """Return the pictures per second of decoding on every core and encoding in one batch."""
    files = [make_photo(number, sizes.photo_size) for number in range(sizes.photos)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:

        def encode() -> object:
            decoded = list(threads.map(lambda data: _decode(data, side), files))
            return engine.images(np.stack(decoded))

        return _rate(encode, len(files), sizes.seconds)


def _decode(data: bytes, side: int) -> NDArray[np.float32]:
    """Return the normalised pixels of a file, from a reduced decoding."""
    mean, deviation = MEAN_AND_DEVIATION
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (2 * side, 2 * side))
        small = np.asarray(picture.convert("RGB").resize((side, side)), np.float32)
    return np.asarray((small / 255 - mean) / deviation, np.float32).transpose(2, 0, 1)


def report(figures: GpuFigures, name: str, console: Console) -> None:
    """Print the figures as a table."""
    table = Table("batch", "pictures/s", "texts/s", title=name)
    for batch, pictures in figures.pictures_by_batch.items():
        table.add_row(str(batch), number(pictures), number(figures.texts_by_batch[batch]))
    console.print(table)
    console.print(
        f"Best batch {figures.best_batch}; {number(figures.share_of_limit)} of the measured matrix "
        f"limit ({number(figures.matrix_limit)} pictures/s); "
        f"{number(figures.pictures_from_jpeg)} pictures/s from JPEG."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="A device of PyTorch.")
    parser.add_argument("--smoke", action="store_true", help="A tiny model and tiny sizes.")
    options = parser.parse_args(arguments)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(
            "PyTorch finds no GPU with CUDA here. Run this on a machine with one, or check the "
            "program itself by: python -m benchmarks.gpu --device cpu --smoke"
        )
    is_cuda = options.device.startswith("cuda")
    name = torch.cuda.get_device_name(options.device) if is_cuda else options.device
    console = Console()
    with console.status(f"measuring {name}"), tempfile.TemporaryDirectory() as folder:
        if options.smoke:
            figures = measure(tiny_checkpoint(Path(folder)), options.device, SMOKE)
        else:
            figures = measure(cached_checkpoint(CACHE / "b32"), options.device, FULL)
    report(figures, name, console)


if __name__ == "__main__":
    main()
