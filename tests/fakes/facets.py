"""Facets in memory: the values of a fact, and their counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from domain.entities.facets import Facet, FacetValue
from domain.entities.images import Exif

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from domain.entities.images import Image


def values_of(images: Iterable[Image], facet: Facet) -> tuple[FacetValue, ...]:
    """Return every value with its count, in the order of the facet."""
    counted = Counter(value for image in images for value in _facts(image, facet))
    values = [FacetValue(*each) for each in counted.items()]
    if facet is Facet.MONTH:
        return tuple(sorted(values, key=lambda month: month.value, reverse=True))
    return tuple(sorted(values, key=lambda value: (-value.count, value.value)))


def _facts(image: Image, facet: Facet) -> Iterator[str]:
    exif = image.exif or Exif()
    if facet is Facet.TAG:
        yield from image.tags
    elif facet is Facet.CONTENT_TYPE:
        yield image.content_type
    elif facet is Facet.CAMERA and exif.camera_model is not None:
        yield exif.camera_model
    elif facet is Facet.MONTH and exif.taken_at_local is not None:
        month = exif.taken_at_local
        yield f"{month.year:04}-{month.month:02}"
