"""The invariants of a library, checked from outside: by what its API and its commands say."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from tests.crash.client import QUERIES, SEARCH, Unavailable, ask, get, list_images

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tests.crash.client import Ledger
    from tests.crash.library import Library

T = TypeVar("T")

SAMPLE_SIZE = 20
"""How many originals an audit reads that an earlier one has read."""

INDEXING_SECONDS = 900.0
"""How long an image may stay PROCESSING after the last fault: the longest backoff, and some."""

READ_CONCURRENCY = 8
READ_ATTEMPTS = 3
VARIANTS = ("url", "large", "thumbnail")


async def audit(library: Library, ledger: Ledger) -> list[str]:
    """Return what contradicts the ledger, in sentences. Nothing may change meanwhile."""
    listed = await _retried(lambda: list_images(library))
    faults = _faults_of_list(listed, ledger)
    images = [image for image in listed if image["sha256"] not in ledger.gone]
    unread = [image for image in images if image["sha256"] not in ledger.checked]
    read = [image for image in images if image["sha256"] in ledger.checked]
    sampled = ledger.random.sample(read, min(SAMPLE_SIZE, len(read)))
    faults += await _unreadable(library, [*unread, *sampled])
    ledger.checked.update(image["sha256"] for image in unread)
    faults += await _missing_of_search(library, ledger.random.choice(QUERIES), ledger.gone)
    return faults


async def final_audit(library: Library, ledger: Ledger) -> list[str]:
    """Wait until everything is indexed, sweep, and check the whole library."""
    faults = await wait_until_indexed(library)
    ledger.checked.clear()
    faults += await audit(library, ledger)
    library.age_files()
    await library.run("sweep")
    await library.run("sweep")
    kept = await _retried(lambda: list_images(library))
    faults += [
        f"{image['id']} is not forgotten, though its file is gone"
        for image in kept
        if image["sha256"] in ledger.gone
    ]
    ids = {_image_id(image) for image in kept}
    stored = library.stored_ids()
    faults += [f"the files of {each} belong to no image" for each in sorted(stored - ids)]
    faults += [f"the image {each} has no files" for each in sorted(ids - stored)]
    check = await library.fork("check", "--originals", "1000000")
    await check.wait()
    if check.status != 0 or "No faults found." not in check.said:
        faults.append(f"pictograph check: {check.said}")
    return faults


def _faults_of_list(images: list[dict[str, Any]], ledger: Ledger) -> list[str]:
    by_digest = {image["sha256"]: image["id"] for image in images}
    ids = {image["id"] for image in images}
    counts = Counter(image["sha256"] for image in images)
    faults = [
        f"{count} images have the bytes {each}" for each, count in counts.items() if count > 1
    ]
    faults += [
        f"the acknowledged image {id_} with the bytes {digest} is lost"
        for digest, id_ in ledger.images.items()
        if by_digest.get(digest) != id_
    ]
    faults += [f"the deleted image {id_} has returned" for id_ in sorted(ids & ledger.deleted)]
    faults += [
        f"{image['id']} is FAILED: {image['failureReason']}"
        for image in images
        if image["status"] == "FAILED"
    ]
    return faults


async def _unreadable(library: Library, images: Iterable[dict[str, Any]]) -> list[str]:
    faults = []
    waiting = iter(images)

    async def read() -> None:
        for image in waiting:
            response = await _get(library, image["url"])
            if response.status_code != httpx.codes.OK:
                faults.append(f"the original of {image['id']} answers {response.status_code}")
            elif hashlib.sha256(response.content).hexdigest() != image["sha256"]:
                faults.append(f"the original of {image['id']} has other bytes")

    await asyncio.gather(*(read() for _ in range(READ_CONCURRENCY)))
    return faults


async def _missing_of_search(library: Library, text: str, gone: set[str]) -> list[str]:
    faults = []
    found = await _retried(lambda: ask(library, SEARCH, text=text))
    for node in found["searchImages"]["nodes"]:
        for variant in ("thumbnail",) if node["sha256"] in gone else VARIANTS:
            response = await _get(library, node[variant])
            if response.status_code != httpx.codes.OK:
                faults.append(f"found {node['id']}, whose {variant} answers {response.status_code}")
    return faults


async def wait_until_indexed(library: Library) -> list[str]:
    """Wait until no image is PROCESSING; return those that stay so, in sentences."""
    deadline = time.monotonic() + INDEXING_SECONDS
    while True:
        listed = await _retried(lambda: list_images(library))
        waiting = [each for each in listed if each["status"] == "PROCESSING"]
        if not waiting:
            return []
        if time.monotonic() > deadline:
            return [f"{each['id']} stays PROCESSING" for each in waiting]
        await asyncio.sleep(1)


async def _get(library: Library, url: str) -> httpx.Response:
    return await _retried(lambda: get(library, url))


async def _retried(read: Callable[[], Awaitable[T]]) -> T:
    """Return what a read returns. Raises Unavailable where it fails again and again.

    No fault is injected meanwhile. A server that gets little of the processor closes a connection
    as idle while the client begins to use it again.
    """
    for _ in range(READ_ATTEMPTS - 1):
        with suppress(Unavailable):
            return await read()
    return await read()


def _image_id(image: dict[str, Any]) -> str:
    """Return the id that storage knows an image by."""
    path: str = urlsplit(image["url"]).path
    return path.split("/")[2]
