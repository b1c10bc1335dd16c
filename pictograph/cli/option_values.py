"""Parses the values of options into values of the domain.

Each function takes the option's name first, and raises InvalidArgument for an invalid value.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.filters import GeoNear
from domain.entities.places import GeoBox
from domain.entities.queries import ByImage, ByText, ByUpload, WeightedTerm
from domain.errors import InvalidArgument
from graph.schema.spelling import decode_id
from pictograph.cli.local_files import upload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.queries import Term

WEIGHTED_TERM = re.compile(r"(?P<term>.+)\^(?P<weight>\d+(\.\d+)?|\.\d+)", re.DOTALL)
"""A term and its weight, in Lucene's syntax for a boost."""

DATE_COMPLETIONS = {len("YYYY"): "-01-01", len("YYYY-MM"): "-01"}
"""What completes a year and a month to a date, by the length of the text."""


def parse_text(option: str, text: str, *, file_option: str) -> ByText:
    """Parse a text. Refuses the name of an existing file, which is meant as a picture."""
    # os.path.isfile, because Path.is_file raises OSError for a text that is too long for a name.
    if Path(text).suffix and os.path.isfile(text):  # noqa: PTH113
        raise InvalidArgument(
            (), f"{option}: {text} is a file; {file_option}{text} searches by its picture."
        )
    return ByText(text)


def parse_file(option: str, name: str) -> ByUpload:
    """Parse the name of a picture's file, where ``~`` is the home folder."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InvalidArgument((), f"{option}: there is no file {name}; check its spelling.")
    return ByUpload(upload_of(path, path.name))


def parse_image_id(option: str, text: str) -> UUID:
    """Parse the id of an image, as the API writes it or as a UUID."""
    if image_id := _image_id(text):
        return image_id
    raise InvalidArgument((), f"{option}: {text} is not an id; copy one from a search.")


def _image_id(text: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(text)
    return decode_id(text)


def parse_weighted_term(option: str, text: str) -> WeightedTerm:
    """Parse a text, ``@FILE`` or an id, with an optional ``^WEIGHT`` at the end."""
    if match := WEIGHTED_TERM.fullmatch(text):
        return WeightedTerm(_parse_term(option, match["term"]), float(match["weight"]))
    return WeightedTerm(_parse_term(option, text))


def _parse_term(option: str, text: str) -> Term:
    if text.startswith("@"):
        return parse_file(option, text[1:])
    if image_id := _image_id(text):
        return ByImage(image_id)
    return parse_text(option, text, file_option=f"{option} @")


def parse_time(option: str, text: str | None) -> datetime | None:
    """Parse a year, a month, a date or an ISO 8601 time, with or without an offset."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text + DATE_COMPLETIONS.get(len(text), ""))
    except ValueError:
        raise InvalidArgument(
            (),
            f"{option}: {text} is not a date; write it as 2024, 2024-05, 2024-05-31 or "
            "2024-05-31T18:00+02:00.",
        ) from None


def parse_instant(option: str, text: str | None) -> datetime | None:
    """Parse a time; without an offset it is in UTC."""
    time = parse_time(option, text)
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def parse_circle(option: str, text: str | None) -> GeoNear | None:
    """Parse latitude, longitude and a radius in kilometres, separated by commas."""
    if text is None:
        return None
    try:
        latitude, longitude, radius_km = (float(number) for number in text.split(","))
    except ValueError:
        raise InvalidArgument(
            (),
            f"{option}: {text} is not a place; write latitude, longitude and kilometres as "
            "43.47,11.88,25.",
        ) from None
    return GeoNear(latitude, longitude, radius_km)


def parse_box(option: str, text: str | None) -> GeoBox | None:
    """Parse the edges of a part of a map in degrees, separated by commas."""
    if text is None:
        return None
    try:
        north, south, east, west = (float(number) for number in text.split(","))
    except ValueError:
        raise InvalidArgument(
            (),
            f"{option}: {text} is not a part of a map; write its edges in the north, south, east "
            "and west as 48.2,47.3,9.8,8.9.",
        ) from None
    return GeoBox(north, south, east, west)


def parse_media_type(option: str, text: str, *, supported: Sequence[str]) -> str:
    """Parse a media type, where ``jpeg`` is short for ``image/jpeg``."""
    media_type = text.lower() if "/" in text else f"image/{text.lower()}"
    if media_type not in supported:
        names = ", ".join(each.removeprefix("image/") for each in supported)
        raise InvalidArgument(
            (), f"{option}: {text} is not a supported type; supported types are {names}."
        )
    return media_type
