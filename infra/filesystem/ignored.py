"""What is left out below a folder, among it what the folder's ``.pictographignore`` names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.exclusions import IGNORE_FILE, Exclusions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ignored:
    """Patterns, and the folder that their paths begin at."""

    base: Path
    exclusions: Exclusions

    def excludes(self, path: Path, end: str) -> bool:
        """Return whether a path is left out; ``end`` is a slash for a folder."""
        return self.exclusions.excludes(f"{path.relative_to(self.base).as_posix()}{end}")


def ignore_file(folder: Path) -> Iterator[Ignored]:
    """Yield the patterns of a folder's ignore file, if it has one. Raises OSError."""
    with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        text = (folder / IGNORE_FILE).read_text(errors="replace")
        yield Ignored(folder, Exclusions.of_lines(text.splitlines()))
