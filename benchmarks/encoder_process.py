"""Encoders in processes of their own, which answer one after another how fast they are.

``python -m benchmarks.encoder_process KIND CHECKPOINT`` reads a line of JSON for each
measurement, and writes a line with its result. Each encoder has a process, as the threads of one
would slow the others.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.bare_engine import open_engine, random_pixels, random_tokens
from benchmarks.process_tree import ProcessTree
from benchmarks.texts import TYPICAL_TOKENS, texts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from benchmarks.bare_engine import BareEngine
    from benchmarks.plain_pipeline import PlainModel
    from domain.ports import Encoder as DomainEncoder

CACHE = Path("build/benchmarks")
ENGINE_CACHE = CACHE / "engine"
PICTURE_SIZE = (320, 240)
"""The size of the pictures in memory, about what reduced decoding gives for an input of 224."""

MIN_CALLS = 3


class Encoder(Protocol):
    """Encodes what is in memory."""

    @property
    def name(self) -> str:
        """What encodes."""

    async def texts(self, texts: list[str]) -> object:
        """Encode texts."""

    async def images(self, count: int) -> object:
        """Encode this many pictures."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The speed of an encoder: the median of its calls."""

    milliseconds: float
    cpu_seconds: float
    """The CPU time of one call, on all cores."""


async def measure_calls(call: Callable[[], Awaitable[object]], seconds: float) -> Rate:
    """Call repeatedly for some time, and at least ``MIN_CALLS`` times after a warm-up."""
    await call()
    latencies: list[float] = []
    began, used = time.perf_counter(), time.process_time()
    while len(latencies) < MIN_CALLS or time.perf_counter() < began + seconds:
        sent = time.perf_counter()
        await call()
        latencies.append(1_000 * (time.perf_counter() - sent))
    used = time.process_time() - used
    return Rate(statistics.median(latencies), used / len(latencies))


@dataclass(frozen=True, slots=True)
class EncoderProcess:
    """The parent's side of a process that encodes."""

    process: subprocess.Popen[str]
    kind: str
    name: str
    start_seconds: float
    """From the start of the process until it encoded the first text."""

    @classmethod
    @contextmanager
    def start(cls, kind: str, checkpoint: Path) -> Iterator[EncoderProcess]:
        """Start a process, wait until it is ready, and end it at the end of the block."""
        CACHE.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with _log_of(kind).open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.encoder_process", kind, str(checkpoint)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            name = _read(process, kind)["name"]
            yield cls(process, kind, name, time.perf_counter() - began)
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def texts(self, batch: int, tokens: int, seconds: float) -> Rate:
        """Measure batches of texts."""
        return self._ask(do="texts", batch=batch, tokens=tokens, seconds=seconds)

    def images(self, batch: int, seconds: float) -> Rate:
        """Measure batches of pictures."""
        return self._ask(do="images", batch=batch, seconds=seconds)

    @property
    def tree(self) -> ProcessTree:
        """The process, to measure its memory."""
        return ProcessTree(self.process.pid)

    def _ask(self, **question: object) -> Rate:
        if self.process.stdin is None:
            message = "the process has no standard input"
            raise RuntimeError(message)
        self.process.stdin.write(f"{json.dumps(question)}\n")
        self.process.stdin.flush()
        return Rate(**_read(self.process, self.kind))


def _log_of(kind: str) -> Path:
    return CACHE / f"encoder-{kind}.log"


def _read(process: subprocess.Popen[str], kind: str) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"The encoder “{kind}” ended; {_log_of(kind)} has its messages.")
    return dict(json.loads(line))


@dataclass(frozen=True, slots=True)
class BareEncoder:
    """The towers through the engine alone, without tokenizer and image processor."""

    engine: BareEngine
    end_token: int

    @property
    def name(self) -> str:
        """The engine."""
        return self.engine.name

    async def texts(self, texts: list[str]) -> object:
        """Encode as many texts as given, with a token for each of their words."""
        tokens = len(texts[0].split()) + 2
        return self.engine.texts(random_tokens(len(texts), tokens, end_token=self.end_token))

    async def images(self, count: int) -> object:
        """Encode random pixels."""
        return self.engine.images(random_pixels(count))


@dataclass(frozen=True, slots=True)
class PlainEncoder:
    """The model of the plain pipeline: one text or picture at a time."""

    model: PlainModel
    name: str = "transformers in float32"

    async def texts(self, texts: list[str]) -> object:
        """Encode one text after another."""
        return [self.model.encode_text(text) for text in texts]

    async def images(self, count: int) -> object:
        """Encode one picture after another."""
        from PIL import Image  # noqa: PLC0415 - not needed by the other encoders

        picture = Image.new("RGB", PICTURE_SIZE)
        return [self.model.encode_image(picture) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class ProductEncoder:
    """The encoder of Pictograph, with the settings of the environment."""

    encoder: DomainEncoder
    name: str = "Pictograph"

    async def texts(self, texts: list[str]) -> object:
        """Encode texts together."""
        return await self.encoder.encode_texts(texts)

    async def images(self, count: int) -> object:
        """Encode pictures together."""
        from domain.entities.images import Pixels  # noqa: PLC0415 - not needed by the others

        picture = Pixels(*PICTURE_SIZE, bytes(3 * PICTURE_SIZE[0] * PICTURE_SIZE[1]))
        return await self.encoder.encode_images([picture] * count)


@asynccontextmanager
async def open_encoder(kind: str, checkpoint: Path) -> AsyncIterator[Encoder]:
    """Load an encoder. Each imports only what it needs, which its memory and its start show."""
    if kind == "engine":
        config = json.loads((checkpoint / "config.json").read_text())
        engine = open_engine(checkpoint, ENGINE_CACHE / checkpoint.name)
        yield BareEncoder(engine, config["text_config"]["eos_token_id"])
    elif kind == "plain":
        from benchmarks.plain_pipeline import PlainModel  # noqa: PLC0415 - see above

        yield PlainEncoder(PlainModel.load(checkpoint))
    else:
        from infra.settings import read_settings  # noqa: PLC0415 - see above
        from pictograph import adapters  # noqa: PLC0415 - see above

        async with adapters.open_encoder(read_settings(model=str(checkpoint))) as encoder:
            yield ProductEncoder(encoder)


async def answer(
    encoder: Encoder, question: dict[str, Any], texts: dict[int, Iterator[str]]
) -> Rate:
    """Measure what is asked for. ``texts`` keeps the series of texts for each number of tokens."""
    batch = question["batch"]
    if question["do"] == "images":
        return await measure_calls(lambda: encoder.images(batch), question["seconds"])
    series = texts.setdefault(question["tokens"], texts_of(question["tokens"]))
    return await measure_calls(
        lambda: encoder.texts(list(itertools.islice(series, batch))), question["seconds"]
    )


async def serve(kind: str, checkpoint: Path) -> None:
    """Answer the questions of standard input until it ends."""
    # Libraries print to standard output, too, and only answers belong there.
    answers = io.TextIOWrapper(os.fdopen(os.dup(sys.stdout.fileno()), "wb"), line_buffering=True)
    sys.stdout = sys.stderr
    async with open_encoder(kind, checkpoint) as encoder:
        texts: dict[int, Iterator[str]] = {}
        await encoder.texts([next(texts_of(TYPICAL_TOKENS))])
        print(json.dumps({"name": encoder.name}), file=answers)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(asdict(await answer(encoder, json.loads(line), texts))), file=answers)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
