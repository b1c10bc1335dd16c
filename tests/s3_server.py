"""An S3 server of this machine, for tests."""

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

KEY = "pictures"


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto's server on a free port and give its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def bucket_of(url: str) -> str:
    """Make a bucket of a fresh name, and return the name."""
    name = f"pictures-{uuid4().hex}"
    request = Request(f"{url}/{name}", method="PUT")  # noqa: S310 - of this machine
    with urlopen(request) as answer:  # noqa: S310 - the same
        answer.read()
    return name


def connect(
    bucket: str, url: str, *, prefix: str = "", deadline: float = 20, stall: float = 10
) -> AbstractAsyncContextManager[S3Storage]:
    """Open a bucket of a server of this machine."""
    return S3Storage.connect(
        bucket,
        endpoint_url=url,
        region="us-east-1",
        access_key_id=KEY,
        secret_access_key=KEY,
        prefix=prefix,
        deadline_seconds=deadline,
        stall_seconds=stall,
    )
