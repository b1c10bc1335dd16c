"""Groups of images that are the same picture, or nearly, as the API shows them."""

import strawberry

from domain.entities.near_duplicates import Collapse
from domain.use_cases.duplicates import find_duplicates as duplicates
from domain.use_cases.duplicates.find_duplicates import DuplicatesPage
from graph.schema.connections import Image
from graph.schema.pagination import PageInfo, group_cursor

strawberry.enum(Collapse)


@strawberry.type(description="Images that are the same picture, or nearly.")
class DuplicateGroup:
    """Images that are the same picture, or nearly."""

    kind: Collapse
    images: list[Image]
    similarity: float = strawberry.field(description="Smallest similarity within the group.")

    @classmethod
    def of(cls, group: duplicates.DuplicateGroup) -> "DuplicateGroup":
        """Return the domain's group as the API shows it."""
        return cls(
            kind=group.kind,
            images=[Image.of(image) for image in group.images],
            similarity=group.similarity,
        )


@strawberry.type
class DuplicateGroupEdge:
    """A group and its place among all."""

    cursor: str
    node: DuplicateGroup


@strawberry.type
class DuplicateGroupConnection:
    """A page of groups, the newest first."""

    edges: list[DuplicateGroupEdge]
    nodes: list[DuplicateGroup]
    page_info: PageInfo

    @classmethod
    def of(cls, page: DuplicatesPage) -> "DuplicateGroupConnection":
        """Return the domain's page as the API shows it."""
        edges = [
            DuplicateGroupEdge(cursor=group_cursor(group.cursor), node=DuplicateGroup.of(group))
            for group in page.groups
        ]
        return cls(
            edges=edges,
            nodes=[edge.node for edge in edges],
            page_info=PageInfo.around(
                [edge.cursor for edge in edges],
                has_next=page.has_next,
                has_previous=page.has_previous,
            ),
        )
