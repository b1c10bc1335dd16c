"""Doing the work that is written down, beside the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pictograph import app
from pictograph.cli.console import out, run, settings_of

if TYPE_CHECKING:
    from domain import UseCases


def worker() -> None:
    """Do the work that is written down, beside servers or in their place. Any number may run."""
    done = 0
    with out.status("Loading the model") as status:

        def ready(use_cases: UseCases) -> None:
            status.update(f"Working with {use_cases.describe.model.name}")
            out.print("The worker is ready.")

        def ended(count: int) -> None:
            nonlocal done
            done += count
            status.update(f"{done:,} done")

        run(app.work(settings_of(), ready=ready, ended=ended))
