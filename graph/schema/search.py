"""Searches: their input, which is a text, a picture, an image or a blend, and their root field."""

from typing import Annotated

import strawberry

from domain.entities.keys import Scope
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import (
    ByBlend,
    ByImage,
    BySearch,
    ByText,
    ByUpload,
    SearchBy,
    SearchOptions,
    WeightedTerm,
)
from domain.entities.queries import Term as QueryTerm
from domain.entities.uploads import Upload
from domain.errors import Location
from graph.schema.arguments import DEFAULT_PAGE_SIZE, After, First, none_if_unset
from graph.schema.context import Info
from graph.schema.ids import uuid_of
from graph.schema.image import Filter, criteria_of
from graph.schema.pagination import decode_search_cursor, search_uuid
from graph.schema.search_results import ImageSearchConnection, depth_for


def _term_of(
    text: str | None, image: Upload | None, image_id: strawberry.ID | None, *, location: Location
) -> "QueryTerm | None":
    """Return the term of the one value that is not absent. Raises InvalidArgument."""
    if (words := none_if_unset(text)) is not None:
        return ByText(words)
    if (upload := none_if_unset(image)) is not None:
        return ByUpload(upload)
    if (id_ := none_if_unset(image_id)) is not None:
        return ByImage(uuid_of(id_, location=(*location, "image_id")))
    return None


@strawberry.input(one_of=True)
class Term:
    """A part of a blend. Exactly one field."""

    text: str | None = strawberry.UNSET
    """A description in natural language."""
    image: Upload | None = strawberry.UNSET
    """An example picture, sent as a multipart file. It is not stored."""
    image_id: strawberry.ID | None = strawberry.UNSET
    """The id of an image of the library."""


@strawberry.input
class BlendTerm:
    """A term and its weight relative to the other terms."""

    term: Term
    """A text, a picture or an image."""
    weight: float = 1.0
    """How much the term counts: 0.01 to 100, or 0.01 to 1 for a term to leave out. 1 by default."""

    def to_domain(self, location: Location) -> WeightedTerm:
        """Convert to a term of the domain. Raises InvalidArgument."""
        term = _term_of(
            self.term.text, self.term.image, self.term.image_id, location=(*location, "term")
        )
        assert term is not None  # noqa: S101 - GraphQL validates that one field is there
        return WeightedTerm(term, self.weight)


@strawberry.input
class Blend:
    """Several things to look for at once, and things to leave out."""

    like: list[BlendTerm] = strawberry.field(description="What to look for: 1 to 10 terms.")
    unlike: list[BlendTerm] | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "What to leave out: at most 10 terms. Each is projected out of the query vector. The "
            "word “without” in a text has no such effect, since CLIP does not understand negation."
        ),
    )

    def to_domain(self) -> ByBlend:
        """Convert to a query of the domain. Raises InvalidArgument."""
        like, unlike = (
            tuple(term.to_domain(("blend", side, index)) for index, term in enumerate(terms or ()))
            for side, terms in (("like", self.like), ("unlike", none_if_unset(self.unlike)))
        )
        return ByBlend(like, unlike)


@strawberry.input(one_of=True)
class ImageSearchBy:
    """What to look for. Exactly one field."""

    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="A description in natural language."
    )
    image: Upload | None = strawberry.field(
        default=strawberry.UNSET,
        description="An example picture, sent as a multipart file. It is not stored.",
    )
    image_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of an image of the library."
    )
    blend: Blend | None = strawberry.field(
        default=strawberry.UNSET,
        description="Several texts, pictures and images, weighted, and things to leave out.",
    )
    search_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="ImageSearchConnection.searchId of an earlier search, to run it again.",
    )

    def to_domain(self) -> SearchBy:
        """Convert to a query of the domain. Raises InvalidArgument."""
        if (blend := none_if_unset(self.blend)) is not None:
            return blend.to_domain()
        if term := _term_of(self.text, self.image, self.image_id, location=()):
            return term
        return BySearch(search_uuid(self.search_id, location=("search_id",)))


@strawberry.type
class SearchQuery:
    """The root field of searches."""

    @strawberry.field
    async def search_images(  # noqa: PLR0913 - the options of a search
        self,
        info: Info,
        *,
        by: ImageSearchBy,
        criteria: Filter = strawberry.UNSET,
        min_relevance: Annotated[
            float | None,
            strawberry.argument(
                description="Leave out hits with a lower relevance, 0 to 1. LIKELY starts at 0.5."
            ),
        ] = strawberry.UNSET,
        collapse: Annotated[
            Collapse,
            strawberry.argument(
                description="Return only the best hit of each group of duplicates."
            ),
        ] = Collapse.NONE,
        exact: Annotated[
            bool,
            strawberry.argument(
                description="Compare every vector instead of an approximate index scan."
            ),
        ] = False,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = strawberry.UNSET,
    ) -> ImageSearchConnection:
        """Finds images by what they show, best first.

        The hits of a search are kept for an hour, up to 1,000. Its pages are cut from them, so no
        image is repeated or skipped while images are added or deleted.
        """
        use_cases = info.context.authorize(Scope.READ)
        query = by.to_domain()
        info.context.count_query(query)
        cursor = none_if_unset(after)
        page = await use_cases.search(
            query,
            SearchOptions(criteria_of(criteria), none_if_unset(min_relevance), collapse, exact),
            first=first,
            after=None if cursor is None else decode_search_cursor(cursor, location=("after",)),
            depth=depth_for(info),
        )
        return ImageSearchConnection.of(page, info)
