"""Sort orders in memory."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import SupportsDunderLT

    from domain.entities.listing import Position, Sort


def order_of(sort: Sort) -> Callable[[Position], SupportsDunderLT[Any]]:  # Any as typeshed has it
    """Return the sort key. Positions without a value come last in both directions."""

    def compare(left: Position, right: Position) -> int:
        if (left.value is None) != (right.value is None):
            return 1 if left.value is None else -1
        if (left.value, left.id) == (right.value, right.id):
            return 0
        if left.value == right.value:
            rises = left.id < right.id
        elif isinstance(left.value, str):
            rises = left.value < str(right.value)
        else:
            rises = int(left.value or 0) < int(right.value or 0)
        return -1 if rises != sort.descending else 1

    return cmp_to_key(compare)
