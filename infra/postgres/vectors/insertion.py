"""Inserts many embeddings by one statement, in binary."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import TextClause

    from domain.entities.embeddings import Embedding
    from infra.postgres.models.active import ActiveModel

# All numbers are one array, of which each embedding is a slice: as text, or as a statement for each
# embedding, they would take several times as long.
INSERT_EMBEDDINGS = text("""
    INSERT INTO embeddings (image_id, model_id, embedding)
    SELECT (:ids)[place], :model,
        CAST((:numbers)[(place - 1) * :dimensions + 1 : place * :dimensions] AS vector)
    FROM generate_series(1, :count) AS place
    ON CONFLICT DO NOTHING
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("numbers", type_=ARRAY(REAL())),
    *(bindparam(name, type_=Integer()) for name in ("model", "dimensions", "count")),
)


def insert_embeddings(
    model: ActiveModel, ids: Sequence[UUID], embeddings: Sequence[Embedding]
) -> tuple[TextClause, dict[str, Any]]:
    """Return the statement that inserts embeddings that are not stored yet, and its parameters."""
    return INSERT_EMBEDDINGS, {
        "ids": list(ids),
        "model": model.id,
        "numbers": list(itertools.chain.from_iterable(embeddings)),
        "dimensions": model.dimensions,
        "count": len(ids),
    }
