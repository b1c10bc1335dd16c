"""Which files of a folder or bucket are left out of an import."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

IGNORE_FILE = ".pictographignore"
"""The name of a file with patterns for the folder that it is in."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Patterns as in a ``.gitignore``, of which the last one that matches a path decides.

    A pattern without a slash matches names at any depth, one with a slash paths from the top, one
    that ends in a slash folders only. ``*`` stands for a part of a name, ``**`` for any folders. A
    leading ``!`` includes what an earlier pattern left out.
    """

    patterns: tuple[str, ...] = ()
    _compiled: tuple[tuple[re.Pattern[str], bool], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        compiled = tuple(
            (_compile(pattern.removeprefix("!")), not pattern.startswith("!"))
            for pattern in self.patterns
        )
        object.__setattr__(self, "_compiled", compiled)

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> Exclusions:
        """Read the lines of an ignore file, without empty ones and comments."""
        stripped = (line.strip() for line in lines)
        return cls(tuple(line for line in stripped if line and not line.startswith("#")))

    def excludes(self, path: str) -> bool:
        """Return whether a path below the top is left out; that of a folder ends in a slash."""
        for pattern, is_excluded in reversed(self._compiled):
            if pattern.fullmatch(path):
                return is_excluded
        return False


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    body = pattern.strip("/")
    is_anchored = "/" in pattern.rstrip("/")
    tail = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return re.compile(("" if is_anchored else "(?:.*/)?") + _translate(body) + tail, re.DOTALL)


def _translate(glob: str) -> str:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(piece, re.escape(piece)) for piece in pieces)
