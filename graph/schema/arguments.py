"""Arguments that several fields share, and how omitted ones are read."""

from typing import Annotated, TypeAlias, TypeVar

import strawberry

from domain.entities.facets import MAX_FACET_VALUES
from domain.entities.labels import MAX_CANDIDATES, MAX_LABEL_CHARACTERS
from domain.entities.listing import MAX_PAGE_SIZE

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 20

First: TypeAlias = Annotated[
    int, strawberry.argument(description=f"The page size, 0 to {MAX_PAGE_SIZE}.")
]
After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(description="A cursor of an earlier page. The page starts right after it."),
]
FacetSize: TypeAlias = Annotated[
    int, strawberry.argument(description=f"How many values to return, 1 to {MAX_FACET_VALUES}.")
]
LabelCandidates: TypeAlias = Annotated[
    list[str],
    strawberry.argument(
        description=(
            f"1 to {MAX_CANDIDATES} different labels of at most {MAX_LABEL_CHARACTERS} characters."
        )
    ),
]


def none_if_unset(value: T | None) -> T | None:
    """Return None for an argument that was omitted, as for an explicit null."""
    return None if value is strawberry.UNSET else value
