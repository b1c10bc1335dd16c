"""``python -m tests.fuzz.pictures``: decodes mutated photos, and counts what comes of them.

A mutated file must become a picture or be refused in a sentence. Anything else is a failure: then
the file is kept in ``build/fuzz``, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from domain.errors import Refusal
from infra.pillow.imaging import ACCEPTED_CONTENT_TYPES, PillowImaging
from postcards.painting.postcard import draw
from tests.pictures import FORMATS, encoded, some_exif

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.entities.images import Picture

PHOTOS = Path("../shared/data")
POSTCARDS = 12
FAILURES = Path("build/fuzz")
HEADER_BYTES = 600
"""Half of the damages hit the first bytes, which have the structure and the metadata."""
MAX_DAMAGES = 6
INTERESTING = [b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0"]

logger = logging.getLogger("pictograph.fuzz")


def read_photos() -> list[bytes]:
    """Return real photos, or postcards where the folder of photos is absent."""
    files = sorted(PHOTOS.glob("gps/*.jpg")) + sorted(PHOTOS.glob("orientation/*_[58].jpg"))
    if files:
        return [file.read_bytes() for file in files]
    return [encoded(draw(seed)[1], "JPEG", exif=some_exif()) for seed in range(POSTCARDS)]


def seeds_of(photos: Sequence[bytes]) -> list[bytes]:
    """Return the photos as they are, and in each of the other formats."""
    seeds = list(photos)
    for number, kind in enumerate(kind for kind in FORMATS if kind != "JPEG"):
        with Image.open(io.BytesIO(photos[number % len(photos)])) as photo:
            exif = {"exif": photo.getexif().tobytes()} if kind in {"PNG", "WEBP", "TIFF"} else {}
            photo.thumbnail((320, 320))
            seeds.append(encoded(photo.convert("RGB"), kind, **exif))
    return seeds


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return the file with some damages."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, MAX_DAMAGES)):
        end = HEADER_BYTES if rng.random() < 0.5 else len(damaged)
        place = rng.randrange(max(1, min(end, len(damaged))))
        length = rng.choice([1, 2, 4, 16, 200])
        match rng.choice(["flip", "overwrite", "noise", "delete", "repeat", "splice", "truncate"]):
            case "flip" if damaged:
                damaged[place] ^= 1 << rng.randrange(8)
            case "overwrite":
                value = rng.choice(INTERESTING)
                damaged[place : place + len(value)] = value
            case "noise":
                damaged[place : place + length] = rng.randbytes(length)
            case "delete":
                del damaged[place : place + length]
            case "repeat":
                damaged[place:place] = damaged[place : place + length] * rng.choice([1, 50])
            case "splice":
                other = rng.choice(others)
                start = rng.randrange(len(other))
                damaged[place : place + length] = other[start : start + length]
            case "truncate" if rng.random() < 0.3:
                del damaged[place:]
    return bytes(damaged)


def keep(number: int, data: bytes) -> None:
    """Keep a file that failed."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    (FAILURES / f"{number}.bin").write_bytes(data)


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """Decodes mutations in the decoder processes of a server, and counts the outcomes."""

    imaging: PillowImaging
    outcomes: Counter[str]

    async def run(self, mutations: Iterator[tuple[int, bytes]]) -> None:
        """Decode mutations until there are no more. Several runs can share them."""
        for number, data in mutations:
            try:
                check(await self.imaging.decode(data))
                self.outcomes["accepted"] += 1
            except Refusal as refusal:
                self.outcomes[f"refused: {type(refusal).__name__}"] += 1
            except Exception:
                logger.exception("mutation %s failed", number)
                self.outcomes["failed"] += 1
                await asyncio.to_thread(keep, number, data)


def check(picture: Picture) -> None:
    """Raise AssertionError for a picture that breaks a promise."""
    pixels = picture.pixels
    assert len(pixels.rgb) == 3 * pixels.width * pixels.height
    assert picture.content_type in ACCEPTED_CONTENT_TYPES
    for rendition in (picture.large, picture.thumbnail):
        assert rendition
        assert rendition[8:12] == b"WEBP"
    for text in picture.exif.all.values() if picture.exif else ():
        assert "\0" not in text


class EndedProcesses(logging.Handler):
    """Counts the decoder processes that ended while they decoded."""

    def __init__(self, outcomes: Counter[str]) -> None:
        super().__init__()
        self._outcomes = outcomes

    def emit(self, record: logging.LogRecord) -> None:
        self._outcomes[record.getMessage()] += 1


def mutations_of(seeds: Sequence[bytes], rng: random.Random) -> Iterator[bytes]:
    """Yield mutations of each seed in turn, without end."""
    while True:
        for seed in seeds:
            yield mutate(seed, seeds, rng)


async def main() -> int:
    """Fuzz as the options say, print the outcomes, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    seeds = seeds_of(read_photos())
    outcomes: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    logging.getLogger("infra.pillow.decoder_pool").addHandler(EndedProcesses(ended))
    rng = random.Random(options.seed)
    mutations = enumerate(islice(mutations_of(seeds, rng), options.mutations))
    async with PillowImaging(workers=options.workers) as imaging:
        fuzzer = Fuzzer(imaging, outcomes)
        await asyncio.gather(*(fuzzer.run(mutations) for _ in range(options.workers)))
    print(f"{options.mutations:,} mutations of {len(seeds)} files, seed {options.seed}:")
    for outcome, number in (outcomes + ended).most_common():
        print(f"{number:>8,}  {outcome}")
    return int(outcomes["failed"] > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
