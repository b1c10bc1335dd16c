"""Groups of exact copies and near-duplicates."""

import strawberry

from domain.entities.near_duplicates import Collapse
from domain.use_cases.duplicates import find_duplicates as duplicates
from domain.use_cases.duplicates.find_duplicates import DuplicatesPage
from graph.schema.pagination import PageInfo, encode_group_cursor
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
    images: list[Image]
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
    node: DuplicateGroup


@strawberry.type
class DuplicateGroupConnection:
    """A page of groups. Groups with the newest image come first."""

    edges: list[DuplicateGroupEdge]
    nodes: list[DuplicateGroup]
    page_info: PageInfo

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
