"""A plain image search server, to compare with: what many projects put together from libraries.

CLIP of transformers in float32, one picture or text at a time. Pictures are decoded in full. The
vectors are in PostgreSQL with pgvector and without an index, the rows are written by an ORM, and
the bytes are in a folder. It makes no thumbnails and knows no duplicates, so it does less than
Pictograph. ``python -m benchmarks.plain_pipeline --help`` lists the options.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import uvicorn
from pgvector.sqlalchemy import VECTOR
from PIL import Image
from sqlalchemy import DateTime, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers import AutoModel, AutoProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.requests import Request

SCHEMA = "plain"
HITS = 20


class Base(DeclarativeBase):
    """The tables of the plain pipeline."""


class PictureRow(Base):
    """A picture with its vector."""

    __tablename__ = "pictures"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - as SQLAlchemy reads it

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    filename: Mapped[str]
    sha256: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    embedding: Mapped[Any] = mapped_column(VECTOR())  # Any: pgvector's own array type


@dataclass(frozen=True, slots=True)
class PlainModel:
    """CLIP of transformers in float32. Every method blocks."""

    # Any: transformers chooses the classes when it reads the checkpoint.
    model: Any
    processor: Any

    @classmethod
    def load(cls, folder: Path) -> PlainModel:
        """Load a checkpoint."""
        model = AutoModel.from_pretrained(folder, dtype=torch.float32)
        return cls(model, AutoProcessor.from_pretrained(folder))  # type: ignore[no-untyped-call]

    def encode_text(self, words: str) -> list[float]:
        """Return the vector of a text, of length 1."""
        tokens = self.processor(text=[words], return_tensors="pt", padding=True, truncation=True)
        with torch.inference_mode():
            return self._vector(self.model.get_text_features(**tokens))

    def encode_image(self, picture: Image.Image) -> list[float]:
        """Return the vector of a picture, of length 1."""
        pixels = self.processor(images=picture, return_tensors="pt")
        with torch.inference_mode():
            return self._vector(self.model.get_image_features(**pixels))

    def _vector(self, output: Any) -> list[float]:  # noqa: ANN401 - of the model's class
        [vector] = torch.nn.functional.normalize(output.pooler_output, dim=-1).tolist()
        return [float(number) for number in vector]


@dataclass(frozen=True, slots=True)
class PlainPipeline:
    """The two verbs: add a picture, search by words."""

    model: PlainModel
    sessions: async_sessionmaker[AsyncSession]
    folder: Path
    thread: ThreadPoolExecutor
    """Runs the model, for one request after another."""

    async def add(self, filename: str, data: bytes) -> uuid.UUID:
        """Store a picture with its vector."""
        loop = asyncio.get_running_loop()
        decoded = await asyncio.to_thread(_decode, data)
        vector = await loop.run_in_executor(self.thread, self.model.encode_image, decoded)
        picture = PictureRow(
            id=uuid.uuid4(),
            filename=filename,
            sha256=hashlib.sha256(data).hexdigest(),
            width=decoded.width,
            height=decoded.height,
            created_at=datetime.now(UTC),
            embedding=vector,
        )
        picture_id = picture.id
        await asyncio.to_thread((self.folder / f"{picture_id}.jpg").write_bytes, data)
        async with self.sessions() as session:
            session.add(picture)
            await session.commit()
        return picture_id

    async def search(self, words: str) -> list[dict[str, object]]:
        """Return the nearest pictures, from a comparison with every vector."""
        loop = asyncio.get_running_loop()
        vector = await loop.run_in_executor(self.thread, self.model.encode_text, words)
        distance = PictureRow.embedding.cosine_distance(vector)
        async with self.sessions() as session:
            hits = await session.execute(
                select(PictureRow, distance.label("distance")).order_by(distance).limit(HITS)
            )
            return [
                {
                    "id": str(picture.id),
                    "filename": picture.filename,
                    "width": picture.width,
                    "height": picture.height,
                    "createdAt": picture.created_at.isoformat(),
                    "score": 1 - float(distance),
                }
                for picture, distance in hits
            ]


def _decode(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as file:
        return file.convert("RGB")


@asynccontextmanager
async def open_pipeline(model: PlainModel, url: str, folder: Path) -> AsyncIterator[PlainPipeline]:
    """Connect to the database, and create the table and the folder if they are missing."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    engine = create_async_engine(url)
    with ThreadPoolExecutor(1, "model") as thread:
        try:
            await create_table(engine)
            sessions = async_sessionmaker(engine, expire_on_commit=False)
            yield PlainPipeline(model, sessions, folder, thread)
        finally:
            await engine.dispose()


async def create_table(engine: AsyncEngine) -> None:
    """Create the table of pictures if it is missing."""
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        await connection.run_sync(Base.metadata.create_all)


def create_app(model: PlainModel, url: str, folder: Path) -> Starlette:
    """Return the server: POST /images with a form, and GET /search?q=words."""
    pipelines: list[PlainPipeline] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_pipeline(model, url, folder) as pipeline:
            pipelines.append(pipeline)
            yield

    async def add(request: Request) -> JSONResponse:
        async with request.form() as form:
            file = form["file"]
            if not isinstance(file, UploadFile):
                return JSONResponse({"error": "the field “file” has to be a file"}, 400)
            picture_id = await pipelines[0].add(file.filename or "", await file.read())
        return JSONResponse({"id": str(picture_id)})

    async def search(request: Request) -> JSONResponse:
        return JSONResponse({"hits": await pipelines[0].search(request.query_params["q"])})

    routes = [Route("/images", add, methods=["POST"]), Route("/search", search)]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_pipeline")
    parser.add_argument("--model", type=Path, required=True, help="The folder of a checkpoint.")
    parser.add_argument("--database", required=True, help="A URL of SQLAlchemy, with asyncpg.")
    parser.add_argument("--files", type=Path, required=True, help="The folder of the originals.")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    app = create_app(PlainModel.load(options.model), options.database, options.files)
    uvicorn.run(app, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
