"""Presigned POST forms of a bucket."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from aiobotocore.config import AioConfig  # type: ignore[import-untyped] # no types
from aiobotocore.session import get_session  # type: ignore[import-untyped] # the same

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME, UploadTarget
from infra.s3.staging import S3Staging
from infra.s3.storage import S3Storage, addressing_style
from tests.s3_server import ACCESS_KEY, connect, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DATA = b"five!"


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
async def storage(s3_url: str) -> AsyncIterator[S3Storage]:
    async with connect(
        await asyncio.to_thread(create_bucket, s3_url), s3_url, prefix="a"
    ) as storage:
        yield storage


def a_target() -> UploadTarget:
    expires_at = datetime.now(UTC) + TARGET_LIFETIME
    return UploadTarget(uuid7(), "a.png", "image/png", len(DATA), None, expires_at)


async def test_the_policy_restricts_key_size_type_and_expiry(storage: S3Storage) -> None:
    target = a_target()
    form = await S3Staging(storage).slot(target)
    fields = dict(form.fields)
    policy = json.loads(base64.b64decode(fields["policy"]))
    for condition in (
        {"bucket": storage.bucket},
        {"key": f"a/uploads/{target.id}"},
        {"Content-Type": "image/png"},
        ["content-length-range", len(DATA), len(DATA)],
    ):
        assert condition in policy["conditions"]
    assert f"a/uploads/{target.id}" == fields["key"]
    expires = datetime.fromisoformat(policy["expiration"])
    assert abs(expires - target.expires_at) <= timedelta(seconds=1)
    assert "x-amz-signature" in fields


async def test_a_form_has_the_public_endpoint_of_the_store(storage: S3Storage, s3_url: str) -> None:
    target = a_target()
    staging = S3Staging(storage, "https://pictures.example.org:9000/")
    form = await staging.slot(target)
    assert f"https://pictures.example.org:9000/{storage.bucket}" == form.url
    async with httpx.AsyncClient() as client:
        response = await client.post(
            f"{s3_url}/{storage.bucket}", data=dict(form.fields), files={"file": DATA}
        )
    assert 204 == response.status_code
    assert DATA == await staging.read(target.id, limit=9)


async def test_staged_files_and_foreign_objects_are_listed_apart(
    storage: S3Storage,
) -> None:
    staging, target = S3Staging(storage), a_target()
    form = await staging.slot(target)
    async with httpx.AsyncClient() as client:
        await client.post(form.url, data=dict(form.fields), files={"file": DATA})
    for key in ("a/uploads/readme.txt", f"a/uploads/{uuid7().hex}", f"uploads/{uuid7()}"):
        await storage.client.put_object(Bucket=storage.bucket, Key=key, Body=b"foreign")
    assert [] == [kept async for kept in storage.list()]
    assert [target.id] == [staged.target_id async for staged in staging.list()]


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "s3.eu-central-1.amazonaws.com"), ("us-east-1", "s3.amazonaws.com")],
)
async def test_on_aws_a_form_goes_to_the_region_of_the_bucket(region: str, host: str) -> None:
    config = AioConfig(
        signature_version="s3v4", s3={"addressing_style": addressing_style("pictures", None)}
    )
    async with get_session().create_client(
        "s3",
        region_name=region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        config=config,
    ) as client:
        form = await S3Staging(S3Storage(client, "pictures", "", 10, 10)).slot(a_target())
    assert f"https://pictures.{host}/" == form.url


def test_a_bucket_is_addressed_in_the_path_if_its_name_is_no_host_name() -> None:
    assert "path" == addressing_style("pictures", "http://localhost:9000")
    assert "auto" == addressing_style("pictures.example.org", None)
    assert "auto" == addressing_style("Pictures", None)
