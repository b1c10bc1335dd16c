"""Changing the model of a library without a pause."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from domain.entities.models import ModelState
from domain.errors import InvalidArgument
from pictograph import app
from pictograph.adapters import open_encoder, source_of
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.model_tables import comparison_table, status_table
from pictograph.cli.tables import shows_pictures

if TYPE_CHECKING:
    from infra.settings import Settings

LOOK_SECONDS = 1.0

models = typer.Typer(
    help="Change the model of a library while it is in use: add, wait until ready, compare, "
    "promote.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Its name or the beginning of it, or its source.")]
Incomplete = Annotated[
    bool, typer.Option("--even-incomplete", help="Also without pictures that it cannot embed.")
]


@models.command("add")
def add_model(
    name: Annotated[str, typer.Argument(help="As PICTOGRAPH_MODEL: a folder, or on the hub.")],
) -> None:
    """Let workers embed all pictures by another model, while the one before answers."""

    async def added() -> str:
        settings = settings_of()
        with err.status("Loading the model"):
            async with open_encoder(settings, name) as encoder:
                model = encoder.model
        async with app.open_library(settings) as library:
            live = await library.models.add(model, source_of(name))
        if live.state is ModelState.ACTIVE:
            return f"{live.name} answers already."
        return (
            f"{live.name} is {live.state}; `pictograph models status --watch` shows how far it has "
            "got. Pictures are embedded by a running server, or by `pictograph worker`."
        )

    _say(run(added()))


@models.command("status")
def show_models(
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until no model is being filled.")
    ] = False,
) -> None:
    """Show how far each model has got."""
    run(_status(settings_of(), watch=watch))


async def _status(settings: Settings, *, watch: bool) -> None:
    async with app.open_library(settings) as library:
        statuses = await library.models.statuses()
        if not watch:
            out.print(status_table(statuses), crop=False)
            return
        with Live(status_table(statuses), console=out, auto_refresh=False) as live:
            while any(each.state is ModelState.BACKFILLING for each in statuses):
                await asyncio.sleep(LOOK_SECONDS)
                statuses = await library.models.statuses()
                live.update(status_table(statuses), refresh=True)


@models.command("compare")
def compare_models(
    queries: Annotated[
        list[str], typer.Argument(help="Texts; @FILE has one a line.", show_default=False)
    ],
    against: Annotated[str, typer.Option("--with", help="The model to compare with.")],
    first: Annotated[int, typer.Option(help="How many hits of each.", min=1, max=100)] = 10,
) -> None:
    """Ask the model that answers and another one the same, and show what each finds."""
    texts = [text for query in queries for text in _texts(query)]
    if not texts:
        raise InvalidArgument((), "There is nothing to ask; the file has no line.")
    run(_compare(settings_of(), texts, against, first=first))


async def _compare(settings: Settings, texts: list[str], against: str, *, first: int) -> None:
    with err.status("Loading the models"):
        async with app.open_pictograph(settings) as pictograph:
            other = await pictograph.models.find(against)
            editions = pictograph.editions.answering(), await pictograph.editions.load(other)
            shares = []
            for text in texts:
                compared = await comparison_table(
                    text, editions, first=first, pictures=shows_pictures(out)
                )
                shares.append(compared.overlap)
                out.print(compared.table, crop=False)
    average = sum(shares) / len(shares)
    _say(f"On average, {average:.0%} of the first {first} are the same (overlap@{first}).")


@models.command("promote")
def promote_model(name: Name, even_incomplete: Incomplete = False) -> None:
    """Let a model that is ready answer from now on. The one before is kept ready."""

    async def promoted() -> str:
        async with app.open_library(settings_of()) as library:
            return (await library.models.promote(name, even_incomplete=even_incomplete)).name

    _say(f"{run(promoted())} answers from now on; `pictograph models rollback` takes that back.")


@models.command("rollback")
def rollback_model(even_incomplete: Incomplete = False) -> None:
    """Let the model answer again that did before."""

    async def rolled_back() -> str:
        async with app.open_library(settings_of()) as library:
            return (await library.models.rollback(even_incomplete=even_incomplete)).name

    _say(f"{run(rolled_back())} answers again.")


@models.command("drop")
def drop_model(name: Name) -> None:
    """Forget all that a model has made of the pictures."""

    async def dropped() -> str:
        async with app.open_library(settings_of()) as library:
            with err.status("Waiting for those who still search by it"):
                return await library.models.drop(name)

    _say(f"{run(dropped())} is dropped.")


def _texts(query: str) -> list[str]:
    if not query.startswith("@"):
        return [query]
    try:
        lines = Path(query[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument((), f"{query[1:]} cannot be read: {error}.") from None
    return [line.strip() for line in lines if line.strip()]


def _say(sentence: str) -> None:
    out.print(Text(sentence), soft_wrap=True)
