"""What clients look for, turned into the domain's words."""

import strawberry

from domain.entities.queries import (
    ByBlend,
    ByImage,
    BySearch,
    ByText,
    ByUpload,
    SearchBy,
    WeightedTerm,
)
from domain.entities.queries import Term as DomainTerm
from domain.entities.uploads import Upload
from domain.errors import Location
from graph.schema.fields import given
from graph.schema.ids import uuid_of
from graph.schema.pagination import search_uuid


def _term(
    text: str | None, image: Upload | None, image_id: strawberry.ID | None, *, location: Location
) -> "DomainTerm | None":
    """Return the one that is given. Raises InvalidArgument."""
    if (words := given(text)) is not None:
        return ByText(words)
    if (upload := given(image)) is not None:
        return ByUpload(upload)
    if (known := given(image_id)) is not None:
        return ByImage(uuid_of(known, location=(*location, "image_id")))
    return None


@strawberry.input(one_of=True)
class Term:
    """One thing, in one of three ways."""

    text: str | None = strawberry.UNSET
    image: Upload | None = strawberry.UNSET
    image_id: strawberry.ID | None = strawberry.UNSET


@strawberry.input
class BlendTerm:
    """One thing, and how much it counts."""

    term: Term
    weight: float = 1.0

    def to_domain(self, location: Location) -> WeightedTerm:
        """Return the term that is meant. Raises InvalidArgument."""
        term = _term(
            self.term.text, self.term.image, self.term.image_id, location=(*location, "term")
        )
        assert term is not None  # noqa: S101 - GraphQL demands exactly one
        return WeightedTerm(term, self.weight)


@strawberry.input
class Blend:
    """Several things at once."""

    like: list[BlendTerm] = strawberry.field(description="One to ten.")
    unlike: list[BlendTerm] | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "At most ten. What is named here is projected out of the query, which CLIP's own grasp "
            "of 'without' cannot do."
        ),
    )

    def to_domain(self) -> ByBlend:
        """Return the blend that is meant. Raises InvalidArgument."""
        like, unlike = (
            tuple(term.to_domain(("blend", side, index)) for index, term in enumerate(terms or ()))
            for side, terms in (("like", self.like), ("unlike", given(self.unlike)))
        )
        return ByBlend(like, unlike)


@strawberry.input(one_of=True, description="What to look for. Exactly one.")
class ImageSearchBy:
    """One of the ways to say what is looked for."""

    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="A description in natural language."
    )
    image: Upload | None = strawberry.field(
        default=strawberry.UNSET, description="An example picture, sent as a multipart file."
    )
    image_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="An image of the library."
    )
    blend: Blend | None = strawberry.field(
        default=strawberry.UNSET,
        description="Several of these at once, weighted, and things to leave out.",
    )
    search_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="ImageSearchConnection.searchId."
    )

    def to_domain(self) -> SearchBy:
        """Return what is looked for. Raises InvalidArgument."""
        if (blend := given(self.blend)) is not None:
            return blend.to_domain()
        if term := _term(self.text, self.image, self.image_id, location=()):
            return term
        return BySearch(search_uuid(self.search_id, location=("search_id",)))
