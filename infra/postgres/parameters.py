"""Bound parameters of SQL statements: arrays, and integers of 64 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Text, bindparam, cast, literal
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.types import TypeEngine


LARGEST = 2**63 - 1


def array(values: Sequence[object], of: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
    """Return a parameter that is a list, of text unless said: one SQL text for any length."""
    kind: ARRAY[Any] = ARRAY(of or Text())
    return cast(bindparam(None, list(values), type_=kind), kind)


def whole(number: int) -> ColumnElement[int]:
    """Return a parameter of 64 bits, whatever the column's width; beyond them lies no value."""
    return literal(max(-LARGEST, min(number, LARGEST)), BigInteger())
