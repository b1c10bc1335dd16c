"""Reads what people and programs wrote into a file: a caption, a rating, and keywords."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from domain.entities.images import MAX_RATING, MIN_RATING, Description, readable_alt_text
from domain.entities.tags import readable_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.pillow.metadata import Metadata

_XMP_CAPTIONS, _XMP_TITLES = ("dc:description",), ("dc:title", "photoshop:Headline")
_IPTC_CAPTIONS, _IPTC_TITLES = ("Caption",), ("Headline", "ObjectName")
# Windows writes 1, 25, 50, 75 and 99 for one to five stars.
_PERCENT_A_STAR, _MOST_PERCENT = 25, 99


def read_description(metadata: Metadata) -> Description:
    """Return the caption, or else the title, the rating from 1 to 5, and the keywords."""
    captions = (readable_alt_text(text) for text in _captions(metadata))
    ratings = (_stars(number) for number in _ratings(metadata))
    keywords = (*metadata.xmp.get("dc:subject", ()), *metadata.iptc.get("Keywords", ()))
    return Description(
        alt_text=next(filter(None, captions), None),
        rating=next(filter(None, ratings), None),
        tags=readable_tags(keywords),
    )


def _captions(metadata: Metadata) -> Iterator[str]:
    for xmp_names, iptc_names in ((_XMP_CAPTIONS, _IPTC_CAPTIONS), (_XMP_TITLES, _IPTC_TITLES)):
        for name in xmp_names:
            yield from metadata.xmp.get(name, ())[:1]
        for name in iptc_names:
            yield from metadata.iptc.get(name, ())[:1]


def _ratings(metadata: Metadata) -> Iterator[float]:
    for text in metadata.xmp.get("xmp:Rating", ())[:1]:
        yield _number(text)
    match metadata.tags.get("Rating"):
        case (int() as stars, *_):
            yield stars
    for text in metadata.xmp.get("MicrosoftPhoto:Rating", ())[:1]:
        if (percent := _number(text)) > 0:
            yield percent // _PERCENT_A_STAR + 1 if percent < _MOST_PERCENT else MAX_RATING


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0
    return number if math.isfinite(number) else 0


def _stars(number: float) -> int | None:
    """Return a rating; 0 is no rating, and -1 a rejected picture."""
    stars = round(number)
    return stars if MIN_RATING <= stars <= MAX_RATING else None
