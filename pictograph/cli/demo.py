"""The demo: a server that needs no configuration, with the bundled model and postcards."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from domain.entities.images import ImageChanges
from domain.entities.keys import new_key
from domain.entities.uploads import Upload
from domain.errors import Refusal
from infra.clip.model_files import weights_digest
from infra.data_folder import default_data_folder
from infra.settings import read_settings
from pictograph import app
from pictograph.cli.libraries import say_which_library
from postcards import MODEL
from postcards.metadata import PostcardMetadata
from postcards.renderer_pool import RendererPool
from postcards.scenes import compose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from rich.console import Console

    from domain import UseCases
    from infra.settings import Settings

COMMAND = sys.argv[0] if Path(sys.argv[0]).name == "pictograph" else "pictograph"
"""The program as the user called it, which may not be on the search path."""

POSTCARD_TAG = "postcard"
RENDERER_PROCESSES = 2
POSTCARD_BATCH_SIZE = 50
"""How many postcards are imported before their count is saved."""

EXAMPLE_SEARCHES = (
    "a red sailboat at sunset",
    "two hot-air balloons over snowy mountains",
    "a lighthouse at night",
)


async def serve(out: Console, given: Settings, *, postcards: int) -> None:
    """Serve a library of its own until cancelled, and import the postcards meanwhile."""
    folder = _folder(given)
    key = await asyncio.to_thread(_kept_key, folder)
    # The demo must not change a database or bucket that the environment names.
    settings = read_settings(
        data_dir=folder,
        model=str(MODEL),
        api_key=key,
        database_url=None,
        s3_bucket=None,
        port=given.port,
    )

    say_which_library(settings)

    def ready(url: str) -> None:
        searches = "\n".join(f"  {query}" for query in EXAMPLE_SEARCHES)
        out.print(
            f"""
{app.greeting(url)}
Changes need this key: {key}

Three searches to try in the gallery:
{searches}

A search by the API, and an upload of your own picture:
  curl {url}/graphql -H 'Content-Type: application/json' \\
    -d '{{"query": "{{ searchImages(by: {{text: \\"{EXAMPLE_SEARCHES[0]}\\"}}, first: 3) \
{{ edges {{ relevance node {{ url }} }} }} }}"}}'
  curl {url}/graphql -H 'Authorization: Bearer {key}' -H 'GraphQL-Require-Preflight: 1' \\
    -F operations='{{"query": "mutation($files: [Upload!]!) \
{{ uploadImages(input: {{files: $files}}) {{ results {{ image {{ id url }} }} \
userErrors {{ message }} }} }}", "variables": {{"files": [null]}}}}' \\
    -F map='{{"0": ["variables.files.0"]}}' -F 0=@picture.jpg

The bundled model knows only postcards. For your own pictures, stop the demo with Ctrl-C. Then
{COMMAND} import ~/Pictures downloads openai/clip-vit-base-patch32 (600 MB) and indexes them where
they are, in a library of their own. {COMMAND} search "a dog on a beach" searches it, and
{COMMAND} serve shows it.
""",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    async def import_in_background(use_cases: UseCases) -> None:
        try:
            await import_postcards(
                use_cases, out, postcards=postcards, count_file=folder / "taken-in"
            )
        except Exception as error:  # noqa: BLE001 - the server continues without more postcards
            reason = str(error).rstrip(".") or type(error).__name__
            out.print(
                f"Not all postcards could be imported: {reason}. Start the demo again to continue.",
                markup=False,
                soft_wrap=True,
            )

    await app.serve(settings, ready=ready, background=import_in_background)


def _folder(settings: Settings) -> Path:
    """Return the data folder of the demo's library, which is in the data folder of the settings."""
    # Other weights get another library, since their embeddings cannot be compared.
    name = f"postcards-{weights_digest(MODEL)}"
    is_given = "data_dir" in settings.model_fields_set
    return (settings.data_dir if is_given else default_data_folder([name])) / name


def _kept_key(folder: Path) -> str:
    """Return the demo's key, which is made at the first start and kept in its data folder."""
    file = folder / "key"
    with suppress(FileNotFoundError):
        return file.read_text().strip()
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as opened:
        opened.write(f"{new_key()}\n")
    return file.read_text().strip()


async def import_postcards(
    use_cases: UseCases, out: Console, *, postcards: int, count_file: Path
) -> None:
    """Import the first postcards as uploads, after those that ``count_file`` counts.

    After an interruption, postcards of the last batch are uploaded again, which is idempotent.
    """
    imported = await asyncio.to_thread(_read_count, count_file)
    if imported >= postcards:
        out.print("All postcards are in the library.")
        return
    columns = (
        TextColumn("Importing postcards"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    async with RendererPool.open(RENDERER_PROCESSES) as renderers:
        with Progress(*columns, console=out) as progress:
            task = progress.add_task("", total=postcards, completed=imported)
            remaining = islice(seeds(), imported, postcards)
            while batch := list(islice(remaining, POSTCARD_BATCH_SIZE)):
                uploads = [_upload(seed, renderers) for seed in batch]
                metadata = {_filename(seed): PostcardMetadata(compose(seed)) for seed in batch}
                async for upload, outcome in use_cases.import_copies(uploads, tags=[POSTCARD_TAG]):
                    if isinstance(outcome, Refusal):
                        raise outcome
                    await _annotate(use_cases, outcome.image.id, metadata[upload.filename])
                    progress.advance(task)
                imported += len(uploads)
                await asyncio.to_thread(count_file.write_text, f"{imported}\n")
    out.print(f"{postcards} postcards can be searched.")


def seeds() -> Iterator[int]:
    """Yield the seeds of held-out postcards, which the bundled model was not trained on."""
    return (seed for seed in count() if compose(seed).is_held_out)


def _read_count(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0


def _upload(seed: int, renderers: RendererPool) -> Upload:
    async def read() -> bytes:
        return await renderers.render(seed)

    return Upload(_filename(seed), 0, read)


def _filename(seed: int) -> str:
    return f"postcard-{seed:05}.jpg"


async def _annotate(use_cases: UseCases, image_id: UUID, metadata: PostcardMetadata) -> None:
    """Add the tags and the caption of a postcard, which are not in its EXIF."""
    await use_cases.tag([image_id], metadata.tags)
    await use_cases.update(image_id, ImageChanges(alt_text=metadata.caption))
