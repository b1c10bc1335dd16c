"""Multipart requests, and the API key that the tests send."""

from __future__ import annotations

import json
from typing import Any

KEY = "pictograph_the-key-of-these-tests"

UPLOAD = """
    mutation ($files: [Upload!]!, $tags: [String!]) {
      uploadImages(input: {files: $files, tags: $tags}) {
        results { isDuplicate image { id filename tags } }
        userErrors { field message code }
      }
    }
"""


def upload_form(
    files: dict[str, bytes], *, tags: tuple[str, ...] = (), query: str = UPLOAD
) -> dict[str, Any]:
    """Return httpx's arguments for a multipart request that uploads files."""
    variables = {"files": [None] * len(files), "tags": list(tags)}
    return multipart(
        {"query": query, "variables": variables},
        {str(index): [f"variables.files.{index}"] for index in range(len(files))},
        {str(index): file for index, file in enumerate(files.items())},
    )


def multipart(
    operations: object, file_map: object, files: dict[str, tuple[str, bytes]]
) -> dict[str, Any]:
    """Return httpx's arguments for a multipart request."""
    fields = {"operations": json.dumps(operations), "map": json.dumps(file_map)}
    parts = [(name, (None, text.encode())) for name, text in fields.items()]
    return {"files": [*parts, *files.items()]}
