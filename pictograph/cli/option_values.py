"""What is typed behind the options of a command, read as values of the domain.

Each function takes the option's name first, and raises InvalidArgument for what it cannot read.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.filters import GeoNear
from domain.entities.queries import ByImage, ByText, ByUpload, WeightedTerm
from domain.errors import InvalidArgument
from pictograph.cli.local_files import upload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.queries import Term

WEIGHTED = re.compile(r"(?P<thing>.+)\^(?P<weight>\d+(\.\d+)?|\.\d+)", re.DOTALL)
"""A thing and how much it counts, as Lucene boosts a term."""

UNFINISHED = {"YYYY": "-01-01", "YYYY-MM": "-01"}
"""What a year and a month lack to be a day, by their length."""


def words(option: str, text: str, *, as_file: str) -> ByText:
    """Take words as they are, but for the name of a file: nobody describes a picture by that."""
    # os.path, because a text may be too long for a name.
    if Path(text).suffix and os.path.isfile(text):  # noqa: PTH113
        raise InvalidArgument(
            (), f"{option}: {text} is a file; {as_file}{text} looks for what it shows."
        )
    return ByText(text)


def example(option: str, name: str) -> ByUpload:
    """Take the name of a picture's file."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InvalidArgument((), f"{option}: there is no file {name}; check its spelling.")
    return ByUpload(upload_of(path, path.name))


def image_id(option: str, text: str) -> UUID:
    """Read an id as the table of a search shows it."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidArgument(
            (), f"{option}: {text} is no id; take one from the last column of a search."
        ) from None


def weighted(option: str, text: str) -> WeightedTerm:
    """Read words, ``@FILE`` or an id, and behind a ``^`` how much it counts."""
    if found := WEIGHTED.fullmatch(text):
        return WeightedTerm(_thing(option, found["thing"]), float(found["weight"]))
    return WeightedTerm(_thing(option, text))


def _thing(option: str, text: str) -> Term:
    if text.startswith("@"):
        return example(option, text[1:])
    try:
        return ByImage(UUID(text))
    except ValueError:
        return words(option, text, as_file=f"{option} @")


def instant(option: str, text: str | None) -> datetime | None:
    """Read a year, a month, a day or an instant of ISO 8601; without an offset it is in UTC."""
    if text is None:
        return None
    missing = {len(form): rest for form, rest in UNFINISHED.items()}.get(len(text), "")
    try:
        read = datetime.fromisoformat(text + missing)
    except ValueError:
        raise InvalidArgument(
            (),
            f"{option}: {text} is no day; write it as 2024, 2024-05, 2024-05-31 or "
            "2024-05-31T18:00+02:00.",
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def circle(option: str, text: str | None) -> GeoNear | None:
    """Read a latitude, a longitude and a distance in kilometres, with commas between."""
    if text is None:
        return None
    try:
        latitude, longitude, radius_km = (float(number) for number in text.split(","))
    except ValueError:
        raise InvalidArgument(
            (),
            f"{option}: {text} is no place; write latitude, longitude and kilometres as "
            "43.47,11.88,25.",
        ) from None
    return GeoNear(latitude, longitude, radius_km)


def media_type(option: str, text: str, *, known: Sequence[str]) -> str:
    """Read a media type that pictures here can have; ``jpeg`` is ``image/jpeg``."""
    full = text.lower() if "/" in text else f"image/{text.lower()}"
    if full not in known:
        names = ", ".join(each.removeprefix("image/") for each in known)
        raise InvalidArgument((), f"{option}: no picture is of type {text}; types are {names}.")
    return full
