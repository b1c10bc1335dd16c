"""A server to try Pictograph with: nothing to configure, a model and six hundred postcards."""

from __future__ import annotations

import asyncio
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
from infra.clip.checkpoint import weights_digest
from infra.settings import read_settings
from pictograph import app
from postcards import MODEL
from postcards.metadata import PostcardMetadata
from postcards.renderer_pool import RendererPool
from postcards.scenes import compose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from rich.console import Console

    from domain import UseCases

DATA = Path("pictograph-data")
TAG = "postcard"
RENDERER_PROCESSES = 2
AT_A_TIME = 50
"""After so many it is written down how many are in."""

SEARCHES = (
    "a red sailboat at sunset",
    "two hot-air balloons over snowy mountains",
    "a lighthouse at night",
)


async def serve(out: Console, *, postcards: int) -> None:
    """Serve from a folder of its own until the process is told to stop, and fill it meanwhile."""
    key = new_key()
    # Embeddings of other weights cannot be compared: they have a library of their own.
    folder = DATA / f"postcards-{weights_digest(MODEL)}"
    # Whatever the environment names, a demo has no business with anybody's database or bucket.
    settings = read_settings(
        data_dir=folder, model=str(MODEL), api_key=key, database_url=None, s3_bucket=None
    )

    def ready(url: str) -> None:
        searches = "\n".join(f"  {query}" for query in SEARCHES)
        out.print(
            f"""
{app.greeting(url)}
Changes need this key: {key}

Three searches to try there:
{searches}

Or here, and a picture of your own:
  curl {url}/graphql -H 'Content-Type: application/json' \\
    -d '{{"query": "{{ searchImages(by: {{text: \\"{SEARCHES[0]}\\"}}, first: 3) \
{{ edges {{ relevance node {{ url }} }} }} }}"}}'
  curl {url}/graphql -H 'Authorization: Bearer {key}' -H 'GraphQL-Require-Preflight: 1' \\
    -F operations='{{"query": "mutation($files: [Upload!]!) \
{{ uploadImages(input: {{files: $files}}) {{ results {{ image {{ id url }} }} \
userErrors {{ message }} }} }}", "variables": {{"files": [null]}}}}' \\
    -F map='{{"0": ["variables.files.0"]}}' -F 0=@picture.jpg

The bundled model knows postcards and nothing else. Photos need a real one:
`make serve` loads openai/clip-vit-base-patch32.
""",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    async def fill(use_cases: UseCases) -> None:
        try:
            await take_in(use_cases, out, postcards=postcards, done=folder / "taken-in")
        except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on without
            reason = str(error) or type(error).__name__
            out.print(f"Not all postcards could be taken in ({reason}); the next start goes on.")

    await app.serve(settings, ready=ready, beside=fill)


async def take_in(use_cases: UseCases, out: Console, *, postcards: int, done: Path) -> None:
    """Take the first postcards in through the ordinary upload, but for those ``done`` counts.

    What was interrupted is made up for: a postcard that is here already is not taken in twice.
    """
    here = await asyncio.to_thread(_read_count, done)
    if here >= postcards:
        out.print("The postcards are here.")
        return
    columns = (
        TextColumn("Taking in postcards"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    async with RendererPool.open(RENDERER_PROCESSES) as renderers:
        with Progress(*columns, console=out) as progress:
            task = progress.add_task("", total=postcards, completed=here)
            missing = islice(seeds(), here, postcards)
            while some := list(islice(missing, AT_A_TIME)):
                uploads = [_upload(seed, renderers) for seed in some]
                metadata = {_name(seed): PostcardMetadata(compose(seed)) for seed in some}
                async for upload, outcome in use_cases.import_copies(uploads, tags=[TAG]):
                    if isinstance(outcome, Refusal):
                        raise outcome
                    await _label(use_cases, outcome.image.id, metadata[upload.filename])
                    progress.advance(task)
                here += len(uploads)
                await asyncio.to_thread(done.write_text, f"{here}\n")
    out.print(f"{postcards} postcards can be found.")


def seeds() -> Iterator[int]:
    """Yield the seeds of postcards that no model was trained on."""
    return (seed for seed in count() if compose(seed).is_held_out)


def _read_count(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0


def _upload(seed: int, renderers: RendererPool) -> Upload:
    async def read() -> bytes:
        return await renderers.render(seed)

    return Upload(_name(seed), 0, read)


def _name(seed: int) -> str:
    return f"postcard-{seed:05}.jpg"


async def _label(use_cases: UseCases, image_id: UUID, metadata: PostcardMetadata) -> None:
    """Add the tags and the caption of a postcard, which are not in its EXIF."""
    await use_cases.tag([image_id], metadata.tags)
    await use_cases.update(image_id, ImageChanges(alt_text=metadata.caption))
