"""The commands that run until they are stopped: serve, demo and worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pictograph import app
from pictograph.cli.console import out, run, settings_of
from pictograph.cli.libraries import say_which_library

if TYPE_CHECKING:
    from domain import UseCases


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve the gallery, GraphQL, GraphiQL and pictures over HTTP."""
    settings = settings_of(host=host, port=port)
    say_which_library(settings)
    run(app.serve(settings, ready=lambda url: out.print(app.greeting(url))))


def demo(
    postcards: Annotated[int, typer.Option(help="How many postcards to import.", min=0)] = 600,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve a library of its own, with the bundled model and postcards to search."""
    from pictograph.cli.demo import serve as serve_demo  # noqa: PLC0415 - only here, and imports torch

    run(serve_demo(out, settings_of(port=port), postcards=postcards))


def worker() -> None:
    """Process the work queue. Any number of workers may run, with or without servers."""
    finished = 0
    settings = settings_of()
    say_which_library(settings)
    with out.status("Loading the model") as status:

        def ready(use_cases: UseCases) -> None:
            status.update(f"Working with {use_cases.describe.model.name}")
            out.print("The worker is ready.")

        def on_ended(count: int) -> None:
            nonlocal finished
            finished += count
            status.update(f"{finished:,} tasks finished")

        run(app.work(settings, ready=ready, on_ended=on_ended))
