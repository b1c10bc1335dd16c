"""The command that searches in a terminal."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from domain.errors import InvalidArgument
from pictograph import app
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.libraries import say_which_library
from pictograph.cli.search_arguments import SearchArguments, with_search_options
from pictograph.cli.search_result import as_json, explain_empty, render
from pictograph.cli.searching import (
    AnswerOfServer,
    places_of,
    search_library,
    thumbnails_of,
)
from pictograph.cli.server_client import ServerClient, ServerFailed
from pictograph.cli.tables import shows_pictures
from pictograph.running import library_name, running_url

if TYPE_CHECKING:
    from domain.entities.queries import SearchBy, SearchOptions
    from infra.settings import Settings
    from pictograph.cli.search_result import FoundPicture, SearchAnswer

logger = logging.getLogger(__name__)


@with_search_options
def search(arguments: SearchArguments) -> None:
    """Search by text, pictures and blends of them, with filters."""
    run(_search(settings_of(), arguments))


@dataclass(frozen=True, slots=True)
class _Query:
    by: SearchBy
    options: SearchOptions
    first: int
    draws: bool
    """Whether thumbnails are drawn."""


async def _search(settings: Settings, arguments: SearchArguments) -> None:
    say_which_library(settings)
    with arguments.naming_options(), err.status("Searching"):
        query = _Query(
            arguments.by(),
            arguments.options(),
            arguments.first,
            draws=shows_pictures(out) and not arguments.json,
        )
        answer, thumbnails, server = await _answer(settings, query)
    if arguments.json:
        typer.echo(as_json(answer, library=library_name(settings), server=server))
        if not answer.pictures:
            err.print(explain_empty(answer, query.options), soft_wrap=True)
    else:
        out.print(render(answer, query.options, thumbnails), crop=False)
    if arguments.open and answer.pictures:
        _open(answer.pictures[0])


async def _answer(
    settings: Settings, query: _Query
) -> tuple[SearchAnswer, list[bytes], str | None]:
    """Return the answer, the thumbnails to draw, and the server that was asked."""
    if url := running_url(settings):
        try:
            return *await _ask(url, settings, query), url
        except ServerFailed as failure:
            # Such as a server that needs a key: the library answers without it.
            logger.info("the server at %s was not asked (%s)", url, failure)
    async with app.open_pictograph(settings) as pictograph:
        use_cases = pictograph.use_cases
        answer = await search_library(
            use_cases, query.by, query.options, first=query.first, places=places_of(settings)
        )
        images = [picture.image for picture in answer.pictures]
        return answer, await thumbnails_of(use_cases, images) if query.draws else [], None


async def _ask(url: str, settings: Settings, query: _Query) -> tuple[SearchAnswer, list[bytes]]:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    client = ServerClient(url, key)
    answered = await AnswerOfServer.to(client, query.by, query.options, first=query.first)
    async with app.open_library(settings) as library:
        answer = await answered.with_images(library, query.options, places_of(settings))
    return answer, await answered.thumbnails(client, answer) if query.draws else []


def _open(picture: FoundPicture) -> None:
    """Open a picture in the program that the system has for it."""
    is_file = picture.path is not None and Path(picture.path).is_file()
    target = picture.path if is_file else picture.url
    if target is None:
        raise InvalidArgument(
            (),
            f"--open: {picture.path} cannot be opened from here; run `pictograph serve`, whose "
            "address of the picture can be.",
        )
    if typer.launch(target, wait=True):
        raise InvalidArgument((), f"--open: no program opens {target}; install one, or copy it.")
