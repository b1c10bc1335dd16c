"""Refusals for queries that reach a model just after it was dropped."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from domain.errors import Overloaded, SearchExpired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.postgres.models.active import ActiveModel

UNDEFINED_TABLE = "42P01"
CHECK_VIOLATION = "23514"


@contextmanager
def dropped_models_refused(model: ActiveModel) -> Iterator[None]:
    """Translate the errors of a missing partition.

    Raises SearchExpired for a read, and Overloaded for an insert, which a client can repeat.
    """
    try:
        yield
    except DBAPIError as error:
        message, sqlstate = str(error.orig), getattr(error.orig, "sqlstate", None)
        if sqlstate == UNDEFINED_TABLE and f'"{model.partition}"' in message:
            raise SearchExpired(
                f"The model {model.name} was dropped just now; search again."
            ) from error
        if sqlstate == CHECK_VIOLATION and 'no partition of relation "embeddings"' in message:
            raise Overloaded(
                "The model of the library is being changed just now; send it again."
            ) from error
        raise
