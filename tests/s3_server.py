"""A local S3 server for tests, by moto."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen
from uuid import uuid4

from moto.server import ThreadedMotoServer

from infra.s3.storage import S3Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

ACCESS_KEY = "pictures"


@contextmanager
def s3_server() -> Iterator[str]:
    """Run the server on a free port, and yield its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def create_bucket(url: str) -> str:
    """Create a bucket with a new name, and return the name."""
    name = f"pictures-{uuid4().hex}"
    request = Request(f"{url}/{name}", method="PUT")  # noqa: S310 - a local URL
    with urlopen(request) as response:  # noqa: S310 - the same
        response.read()
    return name


def connect(
    bucket: str, url: str, *, prefix: str = "", deadline: float = 20, read_timeout: float = 10
) -> AbstractAsyncContextManager[S3Storage]:
    """Open a bucket of a local server as storage."""
    return S3Storage.connect(
        bucket,
        endpoint_url=url,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=ACCESS_KEY,
        prefix=prefix,
        deadline_seconds=deadline,
        read_timeout_seconds=read_timeout,
    )
