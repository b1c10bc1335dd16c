"""Six hundred postcards in a library, and a few in another: what the pages show."""

from __future__ import annotations

import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from infra.clip.checkpoint import digest
from pictograph.cli.demo import seeds
from postcards import MODEL
from postcards.metadata import PostcardMetadata
from postcards.painting.postcard import paint
from postcards.scenes import compose
from tests.browser.prepare import BUILD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.process import Server

MANY = 600
FEW = 12
BATCH = 20
SHAPES = ((960, 640), (960, 640), (640, 960), (960, 640), (720, 720), (960, 640), (1280, 560))
DESCRIBING = ("descriptions", "grammar", "lexicon", "metadata", "scenes")
TAG = """
mutation Tag($ids: [ID!]!, $tags: [String!]!) {
  tagImages(input: {imageIds: $ids, tags: $tags}) { userErrors { message } }
}
"""
SAY = """
mutation Say($id: ID!, $altText: String) {
  updateImage(input: {id: $id, altText: $altText}) { userErrors { message } }
}
"""
ALL = "{ images(first: 100) { nodes { id } } }"
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"


@dataclass(frozen=True)
class Card:
    """A postcard of the demo, though not all of them have its shape."""

    number: int
    seed: int

    @property
    def name(self) -> str:
        return f"postcard-{self.seed:05}.jpg"

    @property
    def metadata(self) -> PostcardMetadata:
        return PostcardMetadata(compose(self.seed))

    @cached_property
    def content(self) -> bytes:
        """Its file; painted once, and kept in the build folder."""
        path = _cards() / self.name
        if not path.exists():
            path.write_bytes(self._paint())
        return path.read_bytes()

    def _paint(self) -> bytes:
        picture = paint(self.metadata.scene, SHAPES[self.number % len(SHAPES)])
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90, exif=self.metadata.exif())
        return file.getvalue()


def cards(count: int, *, after: int = 0) -> Sequence[Card]:
    """Return some of the demo's postcards. Those that were never painted, all processors paint."""
    numbered = enumerate(islice(seeds(), after, after + count), after)
    found = [Card(number, seed) for number, seed in numbered]
    missing = [card for card in found if not (_cards() / card.name).exists()]
    if missing:
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(mp_context=spawning) as painters:
            for _ in painters.map(_paint, missing, chunksize=4):
                pass
    return found


def fill(server: Server, found: Sequence[Card]) -> None:
    """Upload postcards with their captions and tags."""
    tagged: dict[str, list[str]] = {}
    for some in (found[first : first + BATCH] for first in range(0, len(found), BATCH)):
        answer = server.upload({card.name: card.content for card in some}, tags=["postcard"])
        assert [] == answer["userErrors"]
        for card, result in zip(some, answer["results"], strict=True):
            image_id = result["image"]["id"]
            server.ask(SAY, id=image_id, altText=card.metadata.caption)
            for tag in card.metadata.tags:
                tagged.setdefault(tag, []).append(image_id)
    for tag, ids in tagged.items():
        server.ask(TAG, ids=ids, tags=[tag])


def clear(server: Server) -> None:
    """Delete every picture."""
    while nodes := server.ask(ALL)["images"]["nodes"]:
        server.ask(DELETE, ids=[node["id"] for node in nodes])


def data_dir() -> Path:
    """Return the folder of the library of many. It outlives a run: filling it takes a minute."""
    recipe = sha256(Path(__file__).read_bytes() + _recipe().encode() + digest(MODEL).encode())
    return BUILD / f"library-{recipe.hexdigest()[:12]}"


def _paint(card: Card) -> None:
    assert card.content


def _cards() -> Path:
    folder = BUILD / f"postcards-{_recipe()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _recipe() -> str:
    """Return what tells these postcards from others: all that draws and describes."""
    recipe = sha256(repr(SHAPES).encode())
    drawing = MODEL.parent.glob("painting/*.py")
    describing = (MODEL.parent / f"{name}.py" for name in DESCRIBING)
    for source in (*sorted(drawing), *describing):
        recipe.update(source.read_bytes())
    return recipe.hexdigest()[:12]
