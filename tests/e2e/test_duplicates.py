"""Duplicates behind the real server with the bundled model, also of pictures kept earlier."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from postcards.painting.postcard import paint
from postcards.scenes import compose
from tests.e2e.process import Server

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

SIZE = (480, 320)
DUPLICATES = """
query ($kind: Collapse! = NEAR_DUPLICATES) {
  duplicates(kind: $kind) { nodes { kind similarity images { filename } } }
}
"""
FORGET = (
    "UPDATE images SET perceptual_hash = NULL, pixel_sha256 = NULL",
    "DELETE FROM likenesses",
    "DELETE FROM comparisons",
)

EXACT = {"postcard.png", "packed.png", "worded.png", "lossless.webp"}
NEAR = EXACT | {"photo.jpg", "coarse.jpg", "half.png", "quarter.jpg", "brighter.png"}
BLACK = {"black.png", "black again.png"}


def file_of(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """One postcard in nine forms, ten others, and pictures that show nothing."""
    postcard = paint(compose(1), SIZE)
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "a copy")
    half, quarter = (postcard.resize((SIZE[0] // by, SIZE[1] // by)) for by in (2, 4))
    black = Image.new("RGB", SIZE)
    files = {
        "postcard.png": file_of(postcard, "PNG"),
        "packed.png": file_of(postcard, "PNG", compress_level=1),
        "worded.png": file_of(postcard, "PNG", pnginfo=words),
        "lossless.webp": file_of(postcard, "WEBP", lossless=True),
        "photo.jpg": file_of(postcard, "JPEG", quality=90),
        "coarse.jpg": file_of(postcard, "JPEG", quality=60),
        "half.png": file_of(half, "PNG"),
        "quarter.jpg": file_of(quarter, "JPEG", quality=85),
        "brighter.png": file_of(postcard.point(lambda level: min(255, level * 1.1)), "PNG"),
        "black.png": file_of(black, "PNG"),
        "black again.png": file_of(black, "PNG", pnginfo=words),
        "white.png": file_of(Image.new("RGB", SIZE, "white"), "PNG"),
        "small and black.png": file_of(black.resize((30, 20)), "PNG"),
    }
    others = {f"{seed}.png": file_of(paint(compose(seed), SIZE), "PNG") for seed in range(2, 12)}
    return files | others


def groups(server: Server, kind: str) -> list[tuple[str, set[str]]]:
    nodes: list[dict[str, Any]] = server.ask(DUPLICATES, kind=kind)["duplicates"]["nodes"]
    assert all(0.9 <= node["similarity"] <= 1 for node in nodes)
    found = [(node["kind"], [image["filename"] for image in node["images"]]) for node in nodes]
    assert all(len(names) == len(set(names)) for _, names in found)
    return sorted((kind, set(names)) for kind, names in found)


def test_exact_copies_and_near_duplicates_are_found_and_nothing_else(
    shared_settings: dict[str, object], portal: BlockingPortal, postgres_module_url: str
) -> None:
    near = [("EXACT_COPIES", BLACK), ("NEAR_DUPLICATES", NEAR)]
    files = pictures()
    names = list(files)
    with Server.in_thread(shared_settings) as server:
        for start in range(0, len(names), 20):
            some = {name: files[name] for name in names[start : start + 20]}
            assert [] == server.upload(some)["userErrors"]
        assert near == groups(server, "NEAR_DUPLICATES")
        exact = [names for _, names in groups(server, "EXACT_COPIES")]
        assert sorted([BLACK, EXACT], key=len) == sorted(exact, key=len)
    portal.call(forget, postgres_module_url)
    # As if all had been taken in by a version that knew no hashes.
    with Server.in_thread(shared_settings) as server:
        until = time.monotonic() + 60
        while near != groups(server, "NEAR_DUPLICATES") and time.monotonic() < until:
            time.sleep(0.2)
        assert near == groups(server, "NEAR_DUPLICATES")
        assert "cannot be compared" not in "".join(server.said)


async def forget(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in FORGET:
            await connection.execute(text(statement))
    await engine.dispose()
