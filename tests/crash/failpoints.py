"""Failpoints: a process of Pictograph kills itself right before or after something durable.

What a crash leaves behind is decided by what was durable at that moment: statements that change the
database, their commits, and changes of files in the data folder. A failpoint is at each of these,
found by SQLAlchemy's events and by Python's audit hooks. The program itself contains none of them,
so that a new step of a use case has its failpoints as soon as it exists.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

CHANGES = re.compile(
    r"\b(INSERT INTO|(?<!FOR )(?<!KEY )(?<!DO )UPDATE|DELETE FROM|ALTER TABLE"
    r"|(?:CREATE|DROP) (?:UNIQUE |UNLOGGED |OR REPLACE )*[A-Z]+)"
    r" (?:IF (?:NOT )?EXISTS |CONCURRENTLY |ONLY )*\"?((?!ON |OR |OF )\w+)"
)
FILE_EVENTS = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "remove folder",
    "os.mkdir": "create folder",
    "open": "create file",
}
WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Where a process is killed, or a file that gets the names of all points that it passes."""

    armed: str
    """A file. Points count only while it exists."""
    folder: str
    """Whose files are watched."""
    name: str | None = None
    occurrence: int = 1
    """The process is killed when it passes the point for this time."""
    trace: str | None = None


def describe_statement(statement: str) -> str | None:
    """Return what a statement changes, such as "insert images, insert work"; None for a query."""
    words = " ".join(statement.split())
    return ", ".join(f"{_verb(verb)} {table}" for verb, table in CHANGES.findall(words)) or None


def install(point: Failpoint) -> None:
    """Watch this process from now on."""
    watch = _Watch(point)
    event.listen(Engine, "before_cursor_execute", watch.before_statement)
    event.listen(Engine, "commit", watch.before_commit)
    event.listen(Pool, "checkin", watch.after_release)
    sys.addaudithook(watch.on_audit)


class _Watch:
    def __init__(self, point: Failpoint) -> None:
        self._point = point
        self._counts: Counter[str] = Counter()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._trace = os.open(point.trace, flags, 0o644) if point.trace else None

    def before_statement(self, connection: Connection, _: object, sql: str, *__: object) -> None:
        if change := describe_statement(sql):
            connection.info["change"] = change
            self._pass(f"before {change}")

    def before_commit(self, connection: Connection) -> None:
        if change := connection.info.get("change"):
            self._pass(f"before the commit of {change}")

    def after_release(self, _: object, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if change := record.info.pop("change", None):
            self._pass(f"after {change}")

    def on_audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in FILE_EVENTS and (
            change := _describe_change_of_file(self._point.folder, name, arguments)
        ):
            self._pass(f"before {change}")

    def _pass(self, name: str) -> None:
        if self._trace is None and name != self._point.name:
            return
        if not Path(self._point.armed).exists():
            return
        self._counts[name] += 1
        if self._trace is not None:
            os.write(self._trace, f"{self._counts[name]} {name}\n".encode())
        elif self._counts[name] == self._point.occurrence:
            os.kill(os.getpid(), signal.SIGKILL)


def _verb(words: str) -> str:
    return {"INSERT INTO": "insert", "DELETE FROM": "delete"}.get(words, words.lower())


def _describe_change_of_file(folder: str, name: str, arguments: tuple[Any, ...]) -> str | None:
    path = arguments[1] if name == "os.rename" else arguments[0]
    if name == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
        return None
    if not isinstance(path, str) or not path.startswith(folder):
        return None
    area, *inner = Path(path).relative_to(folder).parts or (".",)
    kind = f" {inner[-1]}" if inner and inner[-1].isalpha() and name != "os.mkdir" else ""
    return f"{FILE_EVENTS[name]}{kind} in {area}"
