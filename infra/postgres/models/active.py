"""A live model and the names of its tables."""

from __future__ import annotations

from dataclasses import dataclass

from infra.postgres.models.partitions import index_name, partition_name


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """A model that embeds and finds images, and the partition of its embeddings."""

    id: int
    name: str
    dimensions: int

    @property
    def partition(self) -> str:
        """The table of its embeddings alone."""
        return partition_name(self.id)

    @property
    def index(self) -> str:
        """The HNSW index on them."""
        return index_name(self.id)
