"""Groups of exact copies and near-duplicates, and their root field."""

from typing import Annotated

import strawberry

from domain.entities.keys import Scope
from domain.entities.near_duplicates import Collapse
from domain.use_cases.duplicates import find_duplicates as duplicates
from domain.use_cases.duplicates.find_duplicates import DuplicatesPage
from graph.schema.arguments import DEFAULT_PAGE_SIZE, After, First, none_if_unset
from graph.schema.context import Info
from graph.schema.pagination import PageInfo, decode_group_cursor, encode_group_cursor
from graph.schema.search_results import Image

strawberry.enum(
    Collapse,
    description=(
        "Which images count as the same picture: EXACT_COPIES have the same pixels, "
        "NEAR_DUPLICATES also look nearly the same. NONE keeps every image apart."
    ),
)


@strawberry.type
class DuplicateGroup:
    """Two or more images that are exact copies or near-duplicates, the oldest first."""

    kind: Collapse
    """Why the images are in one group."""
    images: list[Image]
    """The images, the oldest first."""
    similarity: float = strawberry.field(
        description="The smallest cosine similarity of any two images of the group."
    )

    @classmethod
    def of(cls, group: duplicates.DuplicateGroup) -> "DuplicateGroup":
        """Convert a group of the domain."""
        return cls(
            kind=group.kind,
            images=[Image.of(image) for image in group.images],
            similarity=group.similarity,
        )


@strawberry.type
class DuplicateGroupEdge:
    """A group and its cursor."""

    cursor: str
    """The place of the group."""
    node: DuplicateGroup
    """The group."""


@strawberry.type
class DuplicateGroupConnection:
    """A page of groups. Groups with the newest image come first."""

    edges: list[DuplicateGroupEdge]
    """The groups with their cursors."""
    nodes: list[DuplicateGroup]
    """The groups."""
    page_info: PageInfo
    """The cursors of the page's ends, and whether there are pages before and after it."""

    @classmethod
    def of(cls, page: DuplicatesPage) -> "DuplicateGroupConnection":
        """Convert a page of the domain."""
        edges = [
            DuplicateGroupEdge(
                cursor=encode_group_cursor(group.cursor), node=DuplicateGroup.of(group)
            )
            for group in page.groups
        ]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.of(
                [edge.cursor for edge in edges],
                has_next=page.has_next,
                has_previous=page.has_previous,
            ),
        )


@strawberry.type
class DuplicatesQuery:
    """The root field of duplicates."""

    @strawberry.field
    async def duplicates(
        self,
        info: Info,
        kind: Annotated[
            Collapse,
            strawberry.argument(
                description="EXACT_COPIES or NEAR_DUPLICATES, which include the exact copies."
            ),
        ] = Collapse.NEAR_DUPLICATES,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = strawberry.UNSET,
    ) -> DuplicateGroupConnection:
        """Groups of duplicates. Groups with the newest image come first.

        A group of more than 100 images is split into parts that follow one another. The oldest
        image of the group comes first in each part. While images are deleted, a group may be
        repeated on a later page, but none is skipped.
        """
        use_cases = info.context.authorize(Scope.READ)
        info.context.count_searches()
        cursor = none_if_unset(after)
        page = await use_cases.duplicates(
            kind=kind,
            first=first,
            after=None if cursor is None else decode_group_cursor(cursor, location=("after",)),
        )
        return DuplicateGroupConnection.of(page)
