"""Bound parameters of SQL statements: arrays, and integers of 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Text, bindparam, cast, literal
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.types import TypeEngine


MAX_BIGINT = 2**63 - 1


def array(values: Sequence[object], of: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
    """Bind a list as one array parameter, of text unless ``of`` is given.

    The SQL text is the same for any length, so that it is compiled and cached once.
    """
    kind: ARRAY[Any] = ARRAY(of or Text())
    return cast(bindparam(None, list(values), type_=kind), kind)


def whole(number: int) -> ColumnElement[int]:
    """Bind an integer as ``bigint``, clamped to its range: no column holds a value outside of it.

    A narrower type would raise an error for a number that does not fit.
    """
    return literal(max(-MAX_BIGINT, min(number, MAX_BIGINT)), BigInteger())
