"""Groups of images that are the same picture, or nearly, as the API shows them."""

import strawberry

from domain import duplicates
from domain.duplicates import DuplicatesPage
from domain.likenesses import Collapse
from graph.connections import PageInfo
from graph.cursors import group_cursor
from graph.types import Image

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
