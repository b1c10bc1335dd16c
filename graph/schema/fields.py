"""Fields that a function answers, with what the schema says of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
from strawberry.types.field import StrawberryField


# Any: Strawberry calls resolvers of every shape.
def described(description: str) -> Callable[[Callable[..., Any]], StrawberryField]:
    """Return ``strawberry.field`` with a description, in a form that type checkers can follow."""

    def decorate(resolver: Callable[..., Any]) -> StrawberryField:
        return strawberry.field(resolver, description=description)

    return decorate


# Any: Strawberry calls resolvers of every shape.
def streamed(description: str) -> Callable[[Callable[..., Any]], StrawberryField]:
    """Return ``strawberry.subscription`` with a description, as ``described`` does for fields."""

    def decorate(resolver: Callable[..., Any]) -> StrawberryField:
        return strawberry.subscription(resolver, description=description)

    return decorate


T = TypeVar("T")


def given(value: T | None) -> T | None:
    """Return what was sent, and None for what was left out."""
    return None if value is strawberry.UNSET else value
