"""Six hundred postcards in a library, and a few in another: what the pages show."""

from __future__ import annotations

import fcntl
import io
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from infra.clip.model_files import weights_digest
from pictograph.cli.demo import seeds
from postcards import MODEL
from postcards.metadata import PostcardMetadata
from postcards.painting.postcard import paint
from postcards.scenes import compose
from tests.browser.prepare import BUILD
from tests.e2e.process import KEY, ServerProcess, pictograph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.e2e.process import Server

MANY = 600
FEW = 12
BATCH = 20
SHAPES = ((480, 320), (480, 320), (320, 480), (480, 320), (360, 360), (480, 320), (640, 280))
"""Sizes in pixels. To paint a postcard takes six times as long at twice the size."""
DESCRIBING = ("descriptions", "grammar", "lexicon", "metadata", "scenes")
TAG = """
mutation Tag($ids: [ID!]!, $tags: [String!]!) {
  tagImages(input: {imageIds: $ids, tags: $tags}) { userErrors { message } }
}
"""
ALL = "{ images(first: 100) { nodes { id } } }"
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"


@dataclass(frozen=True)
class Card:
    """A postcard of the demo, though not all of them have its shape."""

    number: int
    seed: int
    scale: int = 1
    """By how much it is larger than its shape."""

    @property
    def name(self) -> str:
        return f"postcard-{self.seed:05}.jpg"

    @property
    def metadata(self) -> PostcardMetadata:
        return PostcardMetadata(compose(self.seed))

    @cached_property
    def content(self) -> bytes:
        """Its file; painted once, and kept in the build folder."""
        path = self.path
        if not path.exists():
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(self._paint())
            fresh.rename(path)
        return path.read_bytes()

    @property
    def path(self) -> Path:
        """The file's place in the build folder."""
        return _cards(self.scale) / self.name

    def _paint(self) -> bytes:
        width, height = SHAPES[self.number % len(SHAPES)]
        picture = paint(self.metadata.scene, (self.scale * width, self.scale * height))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90, exif=self.metadata.exif())
        return file.getvalue()


def cards(count: int, *, after: int = 0) -> Sequence[Card]:
    """Return some of the demo's postcards, painted."""
    return list(painting(count, after=after))


def painting(count: int, *, after: int = 0, scale: int = 1) -> Iterator[Card]:
    """Give some of the demo's postcards, one by one while others paint those that are missing."""
    numbered = enumerate(islice(seeds(), after, after + count), after)
    wanted = [Card(number, seed, scale) for number, seed in numbered]
    missing = [card for card in wanted if not card.path.exists()]
    if not missing:
        yield from wanted
        return
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=spawning) as painters:
        painted = {card: painters.submit(_paint, card) for card in missing}
        for card in wanted:
            if card in painted:
                painted[card].result()
            yield card


@contextmanager
def library_of_many(scale: int = 1) -> Iterator[Server]:
    """Start a server with six hundred postcards. It fills the library unless another one did."""
    folder = data_dir(scale)
    filled = folder / "filled"
    with ServerProcess.start({"model": MODEL, "data_dir": folder, "api_key": KEY}) as server:
        with (folder / "filling.lock").open("w") as filling:
            fcntl.flock(filling, fcntl.LOCK_EX)
            if not filled.exists():
                clear(server)
                fill(server, painting(MANY, scale=scale))
                filled.touch()
        yield server


def fill(server: Server, found: Iterable[Card]) -> None:
    """Take postcards in, with all that stands on their backs."""
    tagged: dict[str, list[str]] = {}
    coming = iter(found)
    while some := list(islice(coming, BATCH)):
        answer = server.upload({card.name: card.content for card in some}, tags=["postcard"])
        assert [] == answer["userErrors"]
        ids = [result["image"]["id"] for result in answer["results"]]
        said = {f"text{place}": card.metadata.caption for place, card in enumerate(some)}
        server.ask(_say(ids), **said)
        for card, image_id in zip(some, ids, strict=True):
            for tag in card.metadata.tags:
                tagged.setdefault(tag, []).append(image_id)
    for tag, ids in tagged.items():
        server.ask(TAG, ids=ids, tags=[tag])


def _say(ids: Sequence[str]) -> str:
    """Return a mutation that says what many images show."""
    arguments = ", ".join(f"$text{place}: String" for place in range(len(ids)))
    changes = "\n".join(
        f'say{place}: updateImage(input: {{id: "{image_id}", altText: $text{place}}})'
        " { userErrors { message } }"
        for place, image_id in enumerate(ids)
    )
    return f"mutation Say({arguments}) {{ {changes} }}"


def clear(server: Server) -> None:
    """Delete every picture for good: taken in again, a picture would come back from the trash."""
    while nodes := server.ask(ALL)["images"]["nodes"]:
        server.ask(DELETE, ids=[node["id"] for node in nodes])
    pictograph("sweep", settings={**server.settings, "trash_days": 0})


def data_dir(scale: int = 1) -> Path:
    """Return the folder of the library of many. It outlives a run: filling it takes a minute."""
    recipe = sha256(
        Path(__file__).read_bytes() + _recipe().encode() + weights_digest(MODEL).encode()
    )
    return BUILD / f"library-{scale}-{recipe.hexdigest()[:12]}"


def _paint(card: Card) -> None:
    assert card.content


def _cards(scale: int) -> Path:
    folder = BUILD / f"postcards-{scale}-{_recipe()}"
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
