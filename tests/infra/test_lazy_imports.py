"""What a server without buckets does not import."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from postcards import MODEL

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import asyncio, sys
from infra.settings import read_settings
from pictograph.adapters import open_external_files
from domain.entities.images import Source
from domain.errors import BytesMissing, Unavailable

async def main():
    async with open_external_files(read_settings(s3_endpoint_url="http://127.0.0.1:9")) as files:
        print("aiobotocore" in sys.modules)
        try:
            await files.open(Source("s3://bucket/key", "a"))
        except (BytesMissing, Unavailable) as error:
            print(type(error).__name__, "aiobotocore" in sys.modules)

asyncio.run(main())
"""


def test_the_libraries_of_s3_are_imported_when_a_bucket_is_named(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PICTOGRAPH_DATA_DIR": str(tmp_path),
            "PICTOGRAPH_MODEL": str(MODEL),
            "PICTOGRAPH_S3_ACCESS_KEY_ID": "a",
            "PICTOGRAPH_S3_SECRET_ACCESS_KEY": "a",
            "PICTOGRAPH_S3_CALL_SECONDS": "2",
        },
    ).stdout
    assert ["False", "Unavailable", "True"] == printed.split()
