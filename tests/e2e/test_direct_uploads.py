"""Files that go past the API, to a folder's server and to a bucket, until they are found."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, pictograph, typed_url
from tests.s3_server import ACCESS_KEY as S3_KEY
from tests.s3_server import s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 100
SAID_BY_BROWSERS = ("image/jpeg", "image/jpg", "image/heif", "application/octet-stream", "")
CREATE = """
mutation ($files: [UploadTargetInput!]!) {
  createUploadTargets(input: {files: $files}) {
    targets { id existing { id } url fields { name value } }
    userErrors { field message code }
  }
}
"""
COMPLETE = """
mutation ($ids: [ID!]!) {
  completeUploads(input: {targetIds: $ids, tags: ["direct"]}) {
    results { isDuplicate image { id status } }
    userErrors { field message code }
  }
}
"""
STATUS = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { id status } } }"
FIND = """
query {
  searchImages(by: {text: "a sailboat"}, filter: {tagsAll: ["direct"]}, first: 100) {
    nodes { id url(variant: THUMBNAIL) }
  }
}
"""


@contextmanager
def settings_of(
    kind: str, *, model: Path, postgres_url: str, folder: Path
) -> Iterator[dict[str, object]]:
    plain: dict[str, object] = {
        "model": model,
        "data_dir": folder,
        "database_url": typed_url(postgres_url),
        "api_key": KEY,
    }
    if kind == "folder":
        yield plain
        return
    with s3_server() as store:
        settings = plain | {
            "s3_bucket": "direct-uploads",
            "s3_prefix": "library",
            "s3_endpoint_url": store,
            "s3_access_key_id": S3_KEY,
            "s3_secret_access_key": S3_KEY,
        }
        made = pictograph("migrate", "--create-bucket", settings=settings)
        assert made.returncode == 0, made.stderr
        yield settings


def announced(data: bytes, **more: object) -> dict[str, object]:
    return {"filename": "a.jpg", "contentType": "image/jpeg", "byteSize": len(data), **more}


def send(target: dict[str, Any], data: bytes) -> int:
    fields = {field["name"]: field["value"] for field in target["fields"]}
    return httpx.post(target["url"], data=fields, files={"file": data}, timeout=60).status_code


def wait_until_ready(server: Server, ids: list[str]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        statuses = [node["status"] for node in server.ask(STATUS, ids=ids)["nodes"]]
        if {"READY"} == set(statuses):
            return
        time.sleep(0.2)
    raise AssertionError(statuses)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_hundred_files_are_sent_past_the_api_and_found(
    kind: str, *, model: Path, postgres_url: str, tmp_path: Path
) -> None:
    files = [picture(number) for number in range(COUNT)]
    with settings_of(kind, model=model, postgres_url=postgres_url, folder=tmp_path) as settings:
        with Server.in_thread(settings) as server:
            wanted = [
                announced(data, contentType=said)
                for data, said in zip(files, cycle(SAID_BY_BROWSERS), strict=False)
            ]
            made = server.ask(CREATE, files=wanted)["createUploadTargets"]
            assert [] == made["userErrors"]
            with ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(send, made["targets"], files))
            assert [204] * COUNT == statuses
            target_ids = [target["id"] for target in made["targets"]]
            done = server.ask(COMPLETE, ids=target_ids)["completeUploads"]
            assert [] == done["userErrors"]
            ids = [result["image"]["id"] for result in done["results"]]
            assert len(set(files)) == len(set(ids))
            wait_until_ready(server, ids)
            nodes = server.ask(FIND)["searchImages"]["nodes"]
            assert set(ids) == {node["id"] for node in nodes}
            assert 200 == server.http.get(nodes[0]["url"]).status_code
            again = server.ask(COMPLETE, ids=target_ids)["completeUploads"]["results"]
            assert ids == [result["image"]["id"] for result in again]
            known = announced(files[0], sha256=hashlib.sha256(files[0]).hexdigest())
            made = server.ask(CREATE, files=[known])["createUploadTargets"]
            assert {"id": ids[0]} == made["targets"][0]["existing"]
            there = server.http.post("/uploads/01a20fb3-74f0-78f5-850a-0682c598803c")
            assert (415 if kind == "folder" else 404) == there.status_code
        swept = pictograph("sweep", settings=settings)
        assert swept.returncode == 0, swept.stderr
        assert "0 expired upload targets and 0 of their files removed." in swept.stdout
