"""What clients send to a library, and what the library has acknowledged to them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.crash.library import Library

SIDE = 48
PAGE_SIZE = 100
UPLOAD = """
mutation ($files: [Upload!]!) {
  uploadImages(input: {files: $files, tags: ["crash"]}) {
    results { image { id sha256 status } } userErrors { message code }
  }
}
"""
CREATE = """
mutation ($files: [UploadTargetInput!]!) {
  createUploadTargets(input: {files: $files}) {
    targets { id existing { id } url fields { name value } } userErrors { message }
  }
}
"""
COMPLETE = """
mutation ($ids: [ID!]!) {
  completeUploads(input: {targetIds: $ids}) {
    results { image { id sha256 status } } userErrors { message code }
  }
}
"""
DELETE = """
mutation ($ids: [ID!]!) {
  deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { message } }
}
"""
TAG = """
mutation ($ids: [ID!]!, $tags: [String!]!) {
  tagImages(input: {imageIds: $ids, tags: $tags}) { images { id } userErrors { message } }
}
"""
SEARCH = """
query ($text: String!) {
  searchImages(by: {text: $text}, first: 20) {
    nodes { id sha256 url large: url(variant: LARGE) thumbnail: url(variant: THUMBNAIL) }
  }
}
"""
SEARCH_BY_EXAMPLE = """
query ($image: Upload!) { searchImages(by: {image: $image}, first: 20) { nodes { id } } }
"""
MATCHES = """
subscription { imageMatched(by: {text: "a boat"}, minRelevance: 0) { node { id } relevance } }
"""
IMAGES = """
query ($first: Int!, $after: String) {
  images(first: $first, after: $after) {
    nodes { id sha256 filename status failureReason tags url } pageInfo { hasNextPage endCursor }
  }
}
"""
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
QUERIES = ("a red sailboat at sunset", "a castle", "two cars", "a train in a harbour")


OUTAGES = {"INTERNAL_SERVER_ERROR", "OVERLOADED", "SERVICE_UNAVAILABLE"}
"""Codes of errors after which a client tries again."""


class Unavailable(Exception):  # noqa: N818 - it is expected while processes are killed
    """The library did not answer, or answered that it cannot."""


@dataclass
class Ledger:
    """What a library has acknowledged, whichever of its servers did."""

    random: Random
    images: dict[str, str] = field(default_factory=dict)
    """Acknowledged images that no one has asked to delete: their ids by digest."""
    deleted: set[str] = field(default_factory=set)
    """Ids of images whose deletion was acknowledged."""
    checked: set[str] = field(default_factory=set)
    """Digests of originals that an audit has read."""
    gone: set[str] = field(default_factory=set)
    """Digests of imported files that no longer exist. Their originals answer 404 until an import
    forgets them."""
    held: Counter[str] = field(default_factory=Counter)
    """Digests of files that are being uploaded, so that no one deletes their images meanwhile."""
    acknowledged: int = 0
    numbers: count[int] = field(default_factory=count)

    def new_picture(self) -> bytes:
        """Return a file that no one has sent before."""
        return picture(self.random.getrandbits(64))

    def add(self, results: Iterable[dict[str, Any] | None]) -> list[str]:
        """Note acknowledged uploads, and return the ids."""
        images = [result["image"] for result in results if result]
        for image in images:
            assert image["id"] not in self.deleted, f"{image['id']} has returned"
            self.images[image["sha256"]] = image["id"]
            self.acknowledged += 1
        return [image["id"] for image in images]

    def take(self, most: int) -> list[str]:
        """Remove some images that are going to be deleted, and return their ids."""
        free = [digest for digest in self.images if not self.held[digest]]
        digests = self.random.sample(free, min(most, len(free)))
        return [self.images.pop(digest) for digest in digests]

    @contextmanager
    def holding(self, files: Sequence[bytes]) -> Iterator[None]:
        """Keep the images of these files from being taken."""
        digests = [hashlib.sha256(data).hexdigest() for data in files]
        self.held.update(digests)
        try:
            yield
        finally:
            self.held.subtract(digests)


def picture(seed: int) -> bytes:
    """Return a small JPEG of noise."""
    noise = Random(seed).randbytes(SIDE * SIDE * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), noise).save(file, "JPEG")
    return file.getvalue()


async def ask(library: Library, query: str, **variables: object) -> dict[str, Any]:
    """Send an operation and return its data. Raises Unavailable."""
    return _data(await _post(library, json={"query": query, "variables": variables}))


async def upload(library: Library, ledger: Ledger, files: Sequence[bytes]) -> list[str]:
    """Upload files through the API, and return the ids. Raises Unavailable."""
    operations = {"query": UPLOAD, "variables": {"files": [None] * len(files)}}
    places = {str(index): [f"variables.files.{index}"] for index in range(len(files))}
    answer = await _post(
        library,
        data={"operations": json.dumps(operations), "map": json.dumps(places)},
        files={
            str(index): (f"{next(ledger.numbers)}.jpg", data) for index, data in enumerate(files)
        },
        headers={"GraphQL-Require-Preflight": "1"},
    )
    payload = _data(answer)["uploadImages"]
    _check_refusals(payload["userErrors"])
    for result, data in zip(payload["results"], files, strict=True):
        assert result["image"]["sha256"] == hashlib.sha256(data).hexdigest()
        assert result["image"]["status"] == "READY", "an uploaded image cannot be found yet"
    return ledger.add(payload["results"])


async def create_targets(library: Library, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """Create upload targets. Raises Unavailable."""
    wanted = [
        {"filename": "direct.jpg", "contentType": "image/jpeg", "byteSize": len(data)}
        for data in files
    ]
    payload = (await ask(library, CREATE, files=wanted))["createUploadTargets"]
    assert not payload["userErrors"], payload
    targets: list[dict[str, Any]] = payload["targets"]
    return targets


async def send(library: Library, target: dict[str, Any], data: bytes) -> None:
    """Send a file to an upload target. Raises Unavailable."""
    fields = {each["name"]: each["value"] for each in target["fields"]}
    # Without a key: the form admits the file, and the address may be that of an S3 server.
    await _post(library, target["url"], data=fields, files={"file": data}, auth=_without_key)


async def complete(library: Library, ledger: Ledger, targets: Sequence[dict[str, Any]]) -> None:
    """Complete upload targets. Raises Unavailable."""
    ids = [target["id"] for target in targets]
    payload = (await ask(library, COMPLETE, ids=ids))["completeUploads"]
    _check_refusals(payload["userErrors"])
    ledger.add(payload["results"])


async def delete(library: Library, ledger: Ledger, ids: Sequence[str]) -> None:
    """Delete images that were taken from the ledger. Raises Unavailable."""
    payload = (await ask(library, DELETE, ids=ids))["deleteImages"]
    assert set(ids) == set(payload["deletedImageIds"]), payload
    ledger.deleted.update(ids)


async def search(library: Library, text: str) -> None:
    """Search, and fetch what was found. Raises Unavailable."""
    nodes = (await ask(library, SEARCH, text=text))["searchImages"]["nodes"]
    for node in nodes:
        response = await get(library, node["thumbnail"])
        # It may have been deleted since.
        assert response.status_code in {httpx.codes.OK, httpx.codes.NOT_FOUND}, response.text


async def search_by_example(library: Library, data: bytes) -> None:
    """Search by an example picture. Raises Unavailable."""
    operations = {"query": SEARCH_BY_EXAMPLE, "variables": {"image": None}}
    answer = await _post(
        library,
        data={"operations": json.dumps(operations), "map": '{"0": ["variables.image"]}'},
        files={"0": ("example.jpg", data)},
        headers={"GraphQL-Require-Preflight": "1"},
    )
    _data(answer)


async def watch(library: Library, seconds: float) -> int:
    """Subscribe to matches for a while; return how many lines came. Raises Unavailable."""
    lines = 0
    try:
        async with (
            asyncio.timeout(seconds),
            library.http.stream(
                "POST", "/graphql", json={"query": MATCHES}, headers={"Accept": "text/event-stream"}
            ) as response,
        ):
            async for _ in response.aiter_lines():
                lines += 1
    except TimeoutError:
        return lines
    except httpx.TransportError as error:
        raise Unavailable(str(error)) from error
    return lines


async def get(library: Library, url: str) -> httpx.Response:
    """Fetch a picture. Raises Unavailable."""
    try:
        response = await library.http.get(urlsplit(url).path)
    except httpx.TransportError as error:
        raise Unavailable(str(error)) from error
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"{response.status_code} {response.text[:200]}")
    return response


async def list_images(library: Library) -> list[dict[str, Any]]:
    """Return all images. Raises Unavailable."""
    images: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await ask(library, IMAGES, first=PAGE_SIZE, after=after))["images"]
        images += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return images
        after = page["pageInfo"]["endCursor"]


async def upload_again_and_again(library: Library, ledger: Ledger) -> None:
    """Upload new files, and now and then one that another client sends at the same time."""
    while True:
        files = [ledger.new_picture() for _ in range(ledger.random.randint(1, 3))]
        await upload(library, ledger, files)
        if ledger.random.random() < 1 / 3:
            same = [ledger.new_picture()]
            with ledger.holding(same):
                outcomes = await asyncio.gather(
                    upload(library, ledger, same), upload(library, ledger, same)
                )
            assert outcomes[0] == outcomes[1], "two images have the same bytes"


async def upload_directly_again_and_again(library: Library, ledger: Ledger) -> None:
    """Send files to upload targets, complete these, and upload some of the files once more."""
    while True:
        files = [ledger.new_picture() for _ in range(2)]
        targets = await create_targets(library, files)
        for target, data in zip(targets, files, strict=True):
            await send(library, target, data)
        with ledger.holding(files):
            await complete(library, ledger, targets)
            if ledger.random.random() < 1 / 3:
                await upload(library, ledger, files[:1])
        await asyncio.sleep(ledger.random.uniform(0, 0.3))


async def delete_again_and_again(library: Library, ledger: Ledger, *, keep: int = 20) -> None:
    """Delete images, but leave some."""
    while True:
        await asyncio.sleep(ledger.random.uniform(0.05, 0.4))
        most = min(3, len(ledger.images) - keep)
        if most > 0 and (ids := ledger.take(ledger.random.randint(1, most))):
            await delete(library, ledger, ids)


async def search_again_and_again(library: Library, ledger: Ledger) -> None:
    """Search by texts, and fetch thumbnails."""
    while True:
        await search(library, ledger.random.choice(QUERIES))
        await asyncio.sleep(ledger.random.uniform(0, 0.2))


def _without_key(request: httpx.Request) -> httpx.Request:
    del request.headers["Authorization"]
    return request


async def _post(library: Library, path: str = "/graphql", **content: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    try:
        response = await library.http.post(path, **content)
    except httpx.TransportError as error:
        raise Unavailable(str(error)) from error
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"{response.status_code} {response.text[:200]}")
    assert response.is_success, f"{response.status_code}: {response.text[:300]}"
    return response


def _check_refusals(errors: Sequence[dict[str, Any]]) -> None:
    """Raise Unavailable where the library was busy. Every file of the clients is a good picture."""
    codes = {error["code"] for error in errors}
    if codes and codes <= OUTAGES:
        raise Unavailable(str(errors))
    assert not errors, f"a good picture was refused: {errors}"


def _data(answer: httpx.Response) -> dict[str, Any]:
    content = answer.json()
    if errors := content.get("errors"):
        codes = {error.get("extensions", {}).get("code") for error in errors}
        assert codes <= OUTAGES, errors
        raise Unavailable(str(errors))
    data: dict[str, Any] = content["data"]
    return data
