"""The time to find duplicates among 50,000 pictures, and among 100 more.

``python -m benchmarks.duplicates`` fills an embedded server with synthetic hashes and embeddings,
and plants duplicates of every kind. The embeddings have 512 dimensions and the distribution of
CLIP's: clusters in a cone.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import bindparam, cast, insert, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL

from domain.entities.embeddings import EmbeddingModel
from domain.entities.images import Image, ImageStatus
from domain.entities.near_duplicates import Collapse, oldest_of_group
from domain.use_cases.duplicates.find_duplicates import FindDuplicates
from infra.embedded_postgres.server import embedded_postgres
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from infra.postgres.images import image_row
from infra.postgres.migrate import upgrade
from infra.postgres.tables import metadata
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncEngine

PICTURES = 50_000
ADDED_PICTURES = 100
DIMENSIONS = 512
ROWS_PER_INSERT = 5_000

SHARES = {"alone": 0.86, "copy": 0.04, "near": 0.06, "series": 0.02, "equal": 0.02}
"""The share of each kind of picture. Near ones differ from another picture in up to 31 bits of the
hash. A series is from a camera that does not move: all are within a few bits of each other. Equal
ones are copies of the same picture."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Motif, hash, embedding and pixel digest of each picture, one per row."""

    motifs: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    embeddings: NDArray[np.float32]
    pixels: list[str]


def make_pictures(number: int, random: np.random.Generator) -> Pictures:
    kinds = random.choice(list(SHARES), number, p=list(SHARES.values()))
    motifs, bits = np.arange(number), np.zeros(number, np.int64)
    pixels = [str(row) for row in range(number)]
    alone = np.flatnonzero(kinds == "alone")
    for row, kind in enumerate(kinds):
        if kind in {"copy", "near"}:
            motifs[row] = random.choice(alone)
            bits[row] = random.integers(1, 32) if kind == "near" else 0
        elif kind in {"series", "equal"}:
            motifs[row] = -2 if kind == "series" else -1
            bits[row] = random.integers(0, 4) if kind == "series" else 0
        if kind in {"copy", "equal"}:
            pixels[row] = f"motif {motifs[row]}"
    # The original of a copy has the same pixels.
    for row in set(motifs[kinds == "copy"]):
        pixels[row] = f"motif {row}"
    return Pictures(
        motifs, _hashes(motifs, bits, random), _embeddings(motifs, bits, random), pixels
    )


def _hashes(
    motifs: NDArray[np.int64], bits: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return hashes with half of the bits set, as a median sets them, and ``bits`` flipped."""
    number = len(motifs)
    order = np.argsort(random.random((number, 256), dtype=np.float32), axis=1)
    originals = np.packbits(order < 128, axis=1)[motifs]  # noqa: PLR2004 - half of 256
    flipped = np.argsort(random.random((number, 256), dtype=np.float32), axis=1) < bits[:, None]
    return originals ^ np.packbits(flipped, axis=1)


def _embeddings(
    motifs: NDArray[np.int64], bits: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return embeddings. Mean cosines: .5 overall, .8 in each of 500 subjects, .97 if near."""
    number = len(motifs)

    def directions(count: int) -> NDArray[np.float32]:
        return _normalise(random.standard_normal((count, DIMENSIONS), dtype=np.float32))

    cone, subjects, own = directions(1), directions(500), directions(number)
    points = 0.7 * cone + 0.55 * subjects[random.integers(0, 500, number)] + 0.45 * own
    points = points[motifs] + np.where(bits[:, None] > 0, 0.17, 0) * directions(number)
    return _normalise(points)


def _normalise(points: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / lengths, dtype=np.float32)


async def load(engine: AsyncEngine, pictures: Pictures, *, start: int, stop: int) -> None:
    images, embeddings = metadata.tables["images"], metadata.tables["embeddings"]
    vector = cast(bindparam("vector", type_=ARRAY(REAL)), VECTOR())
    for first in range(start, stop, ROWS_PER_INSERT):
        rows = range(first, min(first + ROWS_PER_INSERT, stop))
        async with engine.begin() as connection:
            await connection.execute(
                insert(images), [image_row(_image(pictures, row)).model_dump() for row in rows]
            )
            await connection.execute(
                insert(embeddings).values(model_id=1, embedding=vector),
                [
                    {"image_id": UUID(int=row), "vector": pictures.embeddings[row].tolist()}
                    for row in rows
                ],
            )


def _image(pictures: Pictures, row: int) -> Image:
    return Image(
        id=UUID(int=row),
        filename=f"{row}.jpg",
        content_type="image/jpeg",
        byte_size=row,
        sha256=f"{row:064x}",
        created_at=datetime.now(UTC),
        status=ImageStatus.READY,
        width=640,
        height=480,
        perceptual_hash=pictures.hashes[row].tobytes(),
        pixel_sha256=pictures.pixels[row],
    )


@contextmanager
def timed(name: str) -> Iterator[None]:
    started, used = time.perf_counter(), time.process_time()
    yield
    took, worked = time.perf_counter() - started, time.process_time() - used
    print(f"{name:44}{took:8.2f} s{worked:8.2f} s of CPU in Python", flush=True)


async def report(duplicates: PostgresDuplicates, pictures: Pictures, *, number: int) -> None:
    """Print how many of the planted groups were found completely, and how many links are wrong."""
    counts = Counter(pictures.motifs[:number].tolist())
    planted = [row for row in range(number) if counts[int(pictures.motifs[row])] > 1]
    links = await duplicates.pairs(Collapse.NEAR_DUPLICATES)
    oldest = oldest_of_group(links)
    wrong = sum(pictures.motifs[link.one.int] != pictures.motifs[link.other.int] for link in links)
    groups: dict[int, set[UUID | None]] = {}
    for row in planted:
        groups.setdefault(int(pictures.motifs[row]), set()).add(oldest.get(UUID(int=row)))
    complete = sum(len(firsts) == 1 and None not in firsts for firsts in groups.values())
    print(
        f"{len(links):,} links; {complete:,} of {len(groups):,} planted groups found completely; "
        f"{wrong} links between different motifs"
    )


async def main() -> None:
    pictures = make_pictures(PICTURES + ADDED_PICTURES, np.random.default_rng(0))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with embedded_postgres(Path(folder) / "postgres") as url, open_engine(url) as engine:
            await upgrade(engine)
            catalog = await PostgresLibrary.open(engine, EmbeddingModel("synthetic", DIMENSIONS))
            model = catalog.model
            assert model is not None  # noqa: S101 - just opened with one
            # No search runs here, so the index would only cost time.
            async with engine.begin() as connection:
                await connection.execute(text(f"DROP INDEX {model.partition}_hnsw"))
            duplicates = PostgresDuplicates(engine, model)
            find = FindDuplicates(duplicates, catalog)
            with timed(f"loading {PICTURES:,} pictures"):
                await load(engine, pictures, start=0, stop=PICTURES)
            with timed(f"the first updates, {PICTURES:,} pictures"):
                while await duplicates.update():
                    pass
            await report(duplicates, pictures, number=PICTURES)
            await load(engine, pictures, start=PICTURES, stop=PICTURES + ADDED_PICTURES)
            with timed(f"an update with {ADDED_PICTURES} new pictures"):
                await duplicates.update()
            with timed("an update with nothing new"):
                await duplicates.update()
            await list_groups(find)
            with timed("links among 1,000"):
                await duplicates.pairs_among(
                    [UUID(int=row) for row in range(1_000)], Collapse.NEAR_DUPLICATES
                )


async def list_groups(find: FindDuplicates) -> None:
    with timed("the first page of 20"):
        page = await find()
    with timed("the first page of 100"):
        await find(first=100)
    pages, images = 1, sum(len(group.images) for group in page.groups)
    with timed("all pages of 100"):
        while page.has_next:
            page = await find(first=100, after=page.groups[-1].cursor)
            pages += 1
            images += sum(len(group.images) for group in page.groups)
    print(f"{pages} pages, {images:,} images")


if __name__ == "__main__":
    asyncio.run(main())
