"""The account that an embedded PostgreSQL runs under: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SYSTEM_USER = "pictograph"


@dataclass(frozen=True, slots=True)
class Account:
    """The user and the group of PostgreSQL's files and processes. They may have no name."""

    uid: int
    gid: int

    @classmethod
    def for_folder(cls, folder: Path) -> Account:
        """Return the account of this process; for root, the folder's owner or a system user.

        Raises OSError or KeyError if the system user cannot be created.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        status = folder.stat()
        if status.st_uid != 0:
            return cls(status.st_uid, status.st_gid)
        entry = _system_user()
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, file: Path | int) -> None:
        """Make the account the owner of a file, given as a path or a descriptor."""
        if os.geteuid() == 0:
            os.chown(file, self.uid, self.gid)

    def may_enter(self, path: Path) -> bool:
        """Whether the account may pass through all parents, and enter or execute the path."""
        if os.geteuid() != 0:
            return os.access(path, os.X_OK)
        with suppress(subprocess.CalledProcessError):
            self.run("/bin/sh", "-c", 'test -x "$0"', str(path), cwd=path.parent)
            return True
        return False

    def run(self, *command: str, cwd: Path, descriptors: Collection[int] = ()) -> str:
        """Run a command, and return its output. It inherits the descriptors.

        Raises OSError and CalledProcessError.
        """
        root = os.geteuid() == 0
        return subprocess.run(  # noqa: S603 - our own commands; no shell parses the arguments
            command,
            cwd=cwd,
            check=True,
            capture_output=True,
            text=True,
            start_new_session=True,
            umask=0o077,
            pass_fds=descriptors,
            user=self.uid if root else None,
            group=self.gid if root else None,
            extra_groups=[] if root else None,
            env={k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))},
        ).stdout


def check_entry(uid: int) -> None:
    """Raise Misconfigured if the user cannot create a cluster: initdb looks for its name."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise Misconfigured(
            f"The user id {uid} has no entry in /etc/passwd, and PostgreSQL creates no database "
            "without one: add an entry, run Pictograph as a user that has one, or set "
            "PICTOGRAPH_DATABASE_URL to a server of your own."
        ) from None


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(  # noqa: S603 - constants
        ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],  # noqa: S607
        check=False,  # fails if a concurrent process has created it; the next line checks
        capture_output=True,
    )
    return pwd.getpwnam(SYSTEM_USER)
