"""The command that searches in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.libraries import open_pictograph
from pictograph.cli.search_arguments import SearchArguments, with_search_options
from pictograph.cli.search_result import search_and_render
from pictograph.cli.tables import shows_pictures

if TYPE_CHECKING:
    from infra.settings import Settings


@with_search_options
def search(arguments: SearchArguments) -> None:
    """Search by text, pictures and blends of them, with filters."""
    run(_search(settings_of(), arguments))


async def _search(settings: Settings, arguments: SearchArguments) -> None:
    with arguments.naming_options(), err.status("Searching"):
        by, options = arguments.by(), arguments.options()
        async with open_pictograph(settings) as pictograph:
            result = await search_and_render(
                pictograph.use_cases,
                by,
                options,
                first=arguments.first,
                pictures=shows_pictures(out),
            )
    out.print(result, crop=False)
