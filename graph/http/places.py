"""A limit on what is held at once, of which a part is reserved for callers with a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException

RETRY_AFTER = {"Retry-After": "1"}


class Places:
    """A number of places. Callers without a key get half of them at most."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = {True: 0, False: 0}

    @contextmanager
    def one(self, *, has_key: bool) -> Iterator[None]:
        """Take a place. Raises HTTPException with status 503 where none is free."""
        is_full = sum(self._taken.values()) >= self._count
        if is_full or (not has_key and self._taken[False] >= max(1, self._count // 2)):
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The server reads too many uploads at the moment; send the request again in a "
                "second.",
                RETRY_AFTER,
            )
        self._taken[has_key] += 1
        try:
            yield
        finally:
            self._taken[has_key] -= 1
