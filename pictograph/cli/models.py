"""The commands that change the model of a library while it is in use."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from domain.entities.models import ModelState
from domain.errors import InvalidArgument
from pictograph.adapters import open_encoder, source_of
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.examples import examples_of
from pictograph.cli.libraries import open_library, open_pictograph
from pictograph.cli.model_tables import compare_results, status_table
from pictograph.cli.tables import shows_pictures
from pictograph.quantise import quantise

if TYPE_CHECKING:
    from domain.entities.models import StoredModel
    from infra.settings import Settings

STATUS_REFRESH_SECONDS = 1.0


class AddedPrecision(StrEnum):
    """The precisions that are models of their own: vectors of both must not be mixed."""

    AUTO = "auto"
    INT8 = "int8"


models = typer.Typer(
    help="Change the model of a library while it is in use: add, wait until ready, compare, "
    "promote.",
    no_args_is_help=True,
    add_completion=False,
    epilog=examples_of("models"),
)

Name = Annotated[str, typer.Argument(help="Its name or the beginning of it, or its source.")]
EvenIncomplete = Annotated[
    bool, typer.Option("--even-incomplete", help="Also without pictures that it cannot embed.")
]


@models.command("add", epilog=examples_of("models add"))
def add_model(
    name: Annotated[str, typer.Argument(help="As PICTOGRAPH_MODEL: a folder, or on the hub.")],
    dtype: Annotated[
        AddedPrecision | None,
        typer.Option(
            help="int8 quantises it by pictures of the library. By default as PICTOGRAPH_DTYPE."
        ),
    ] = None,
) -> None:
    """Embed all pictures by another model, while the active one stays in use."""
    from infra.clip.quantised_model import is_quantised  # noqa: PLC0415 - slow to import

    settings = settings_of(dtype=dtype and dtype.value)
    if settings.dtype == "int8" and not is_quantised(name):
        added = run(_add_quantised(settings, name))
    else:
        added = run(_add(settings, name))
    if added.is_active:
        _print(f"{added.name} is active already.")
    else:
        _print(
            f"{added.name} is {added.state}; `pictograph models status --watch` shows the "
            "progress. Pictures are embedded by a running server, or by `pictograph worker`."
        )


async def _add(settings: Settings, name: str) -> StoredModel:
    with err.status("Loading the model"):
        async with open_encoder(settings, name) as encoder:
            model = encoder.model
    async with open_library(settings) as library:
        return await library.models.add(model, source_of(name))


async def _add_quantised(settings: Settings, name: str) -> StoredModel:
    with err.status("Quantising the model"):
        async with open_library(settings) as library:
            quantised = await quantise(settings, library, name)
    cost = quantised.cost
    _print(
        f"{quantised.name} is calibrated on {cost.calibrated} pictures. On {cost.held_out} others, "
        f"its embeddings have a mean cosine of {cost.mean_cosine:.4f} to those of the original; "
        f"recall@10 is {cost.picture_recall:.2f} by picture and {cost.text_recall:.2f} by text."
    )
    return await _add(settings, quantised.name)


@models.command("status", epilog=examples_of("models status"))
def show_models(
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until no model is backfilling.")
    ] = False,
) -> None:
    """Show the state and the progress of each model."""
    run(_show_statuses(settings_of(), watch=watch))


async def _show_statuses(settings: Settings, *, watch: bool) -> None:
    async with open_library(settings) as library:
        statuses = await library.models.list_statuses()
        if not watch:
            out.print(status_table(statuses), crop=False)
            return
        with Live(status_table(statuses), console=out, auto_refresh=False) as live:
            while any(each.state is ModelState.BACKFILLING for each in statuses):
                await asyncio.sleep(STATUS_REFRESH_SECONDS)
                statuses = await library.models.list_statuses()
                live.update(status_table(statuses), refresh=True)


@models.command("compare", epilog=examples_of("models compare"))
def compare_models(
    queries: Annotated[
        list[str], typer.Argument(help="Texts; @FILE has one a line.", show_default=False)
    ],
    against: Annotated[str, typer.Option("--with", help="The model to compare with.")],
    first: Annotated[int, typer.Option(help="How many hits of each.", min=1, max=100)] = 10,
) -> None:
    """Search the same texts by the active model and another one, and show both results."""
    texts = [text for query in queries for text in _texts(query)]
    if not texts:
        raise InvalidArgument((), "There is no text to search for; the file is empty.")
    run(_compare(settings_of(), texts, against, first=first))


async def _compare(settings: Settings, texts: list[str], against: str, *, first: int) -> None:
    with err.status("Loading the models"):
        async with open_pictograph(settings) as pictograph:
            other = await pictograph.library.models.find(against)
            loaded_models = pictograph.loaded_models
            pair = loaded_models.active(), await loaded_models.load(other)
            overlaps = []
            for text in texts:
                comparison = await compare_results(
                    text, pair, first=first, pictures=shows_pictures(out)
                )
                overlaps.append(comparison.overlap)
                out.print(comparison.table, crop=False)
    average = sum(overlaps) / len(overlaps)
    _print(f"On average, {average:.0%} of the first {first} are the same (overlap@{first}).")


@models.command("promote", epilog=examples_of("models promote"))
def promote_model(name: Name, even_incomplete: EvenIncomplete = False) -> None:
    """Make a model active that is ready. The one before stays ready."""

    async def promote() -> StoredModel:
        async with open_library(settings_of()) as library:
            return await library.models.promote(name, force=even_incomplete)

    _print(f"{run(promote()).name} is active now; `pictograph models rollback` takes that back.")


@models.command("rollback", epilog=examples_of("models rollback"))
def roll_back_model(even_incomplete: EvenIncomplete = False) -> None:
    """Make the model active again that was active before."""

    async def roll_back() -> StoredModel:
        async with open_library(settings_of()) as library:
            return await library.models.roll_back(force=even_incomplete)

    _print(f"{run(roll_back()).name} is active again.")


@models.command("drop", epilog=examples_of("models drop"))
def drop_model(name: Name) -> None:
    """Delete a model's embeddings and everything that was computed from them."""

    async def drop() -> StoredModel:
        async with open_library(settings_of()) as library:
            with err.status("Waiting until servers have stopped using it"):
                return await library.models.drop(name)

    _print(f"{run(drop()).name} is dropped.")


def _texts(query: str) -> list[str]:
    if not query.startswith("@"):
        return [query]
    try:
        lines = Path(query[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument((), f"{query[1:]} cannot be read: {error}.") from None
    return [line.strip() for line in lines if line.strip()]


def _print(sentence: str) -> None:
    out.print(Text(sentence), soft_wrap=True)
