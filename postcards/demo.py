"""A server to try Pictograph with: nothing to configure, and a model made on the spot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import logging

import app
from domain.keys import new_key
from infra.settings import read_settings
from postcards.checkpoint import make_checkpoint

if TYPE_CHECKING:
    from rich.console import Console

FOLDER = Path("pictograph-data", "demo")


async def serve(out: Console) -> None:
    """Serve from a folder of its own until the process is told to stop."""
    model = FOLDER / "model"
    await asyncio.to_thread(_make_model, model)
    key = new_key()
    settings = read_settings(data_dir=FOLDER, model=str(model), api_key=key)

    def ready(url: str) -> None:
        out.print(
            f"""
Pictograph answers at {url}/graphql
Changes need this key: {key}

Take a picture in:
  curl {url}/graphql -H 'Authorization: Bearer {key}' -H 'GraphQL-Require-Preflight: 1' \\
    -F operations='{{"query": "mutation($files: [Upload!]!) \
{{ uploadImages(input: {{files: $files}}) {{ results {{ image {{ id url }} }} \
userErrors {{ message }} }} }}", "variables": {{"files": [null]}}}}' \\
    -F map='{{"0": ["variables.files.0"]}}' -F 0=@picture.jpg

The demo's model has random weights: everything works, and its rankings mean nothing.
Photos want a real model: `make serve` loads openai/clip-vit-base-patch32.
""",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    await app.serve(settings, ready=ready)


def _make_model(folder: Path) -> None:
    """Write the model where there is none: whole, or not at all."""
    if folder.exists():
        return
    begun = folder.with_suffix(".begun")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
    make_checkpoint(begun)
    begun.rename(folder)
