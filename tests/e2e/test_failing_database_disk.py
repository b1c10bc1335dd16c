"""An embedded PostgreSQL on a disk that fails with EIO: clean refusals, and recovery by itself.

libfiu cannot do this: PostgreSQL ends with a segmentation fault at its start where
``fiu_posix_preload.so`` is loaded. So the tests compile a library of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest

from infra.embedded_postgres.cluster import open_cluster
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, ServerProcess, pictograph
from tests.e2e.test_outages import readiness

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("failing_calls.c")
COMPILER = shutil.which("cc")
OPERATIONS = (
    '{"query": "mutation ($f: [Upload!]!) { uploadImages(input: {files: $f}) '
    '{ results { image { id } } userErrors { code } } }", "variables": {"f": [null]}}'
)
SEARCH = '{ searchImages(by: {text: "a picture"}, first: 100) { nodes { id } } }'
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
MAX_IDS = 100
OUTAGE_CODES = {"SERVICE_UNAVAILABLE", "OVERLOADED"}
MAX_ANSWER_SECONDS = 45
"""A connection, a statement and its margin, and the model of a busy machine."""
MAX_RECOVERY_SECONDS = 120
OUTAGE_SECONDS = 4

pytestmark = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux", reason="needs Linux and a C compiler"
)


class FailingDisk:
    """Lets calls of PostgreSQL on its files fail with EIO."""

    def __init__(self, folder: Path) -> None:
        # PostgreSQL has an account of its own, which must be able to read both files.
        folder.chmod(0o755)
        self.library = folder / "failing_calls.so"
        self._control = folder / "control"
        assert COMPILER
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-o", self.library, SOURCE, "-ldl"], check=True
        )
        self.variables = {"LD_PRELOAD": str(self.library), "FAILING_CALLS": str(self._control)}

    @contextmanager
    def failing(self, kind: str, part: str, *, per_thousand: int = 1_000) -> Iterator[None]:
        """Let ``sync``, ``read`` or ``write`` fail on the files with this part in their path."""
        fresh = self._control.with_suffix(".new")
        fresh.write_text(f"{kind} {part} {per_thousand}")
        fresh.chmod(0o644)
        fresh.rename(self._control)
        try:
            yield
        finally:
            self._control.unlink()


class Requests:
    """Requests of clients during a fault, and what was acknowledged."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.acknowledged: set[str] = set()
        self.codes: Counter[str] = Counter()
        self._number = 0

    def send_for(self, seconds: float) -> Counter[str]:
        """Upload and search, and return how often each code was answered."""
        self.codes.clear()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.upload()
            self._send({"json": {"query": SEARCH}})
        return self.codes

    def upload(self) -> bool:
        """Upload a new picture, and return whether it was accepted."""
        self._number += 1
        answer = self._send(
            {
                "data": {"operations": OPERATIONS, "map": '{"0": ["variables.f.0"]}'},
                "files": {"0": (f"{self._number}.jpg", picture(self._number))},
            }
        )
        uploaded = ((answer.get("data") or {}).get("uploadImages") or {}).get("results") or []
        ids = {result["image"]["id"] for result in uploaded if result["image"]}
        self.acknowledged |= ids
        return bool(ids)

    def recover(self) -> float:
        """Wait until the server works again, and return how long it took."""
        start = time.monotonic()
        while not self.upload() or readiness(self.server) != (200, []):
            assert time.monotonic() - start < MAX_RECOVERY_SECONDS, self.server.said
            time.sleep(0.2)
        return time.monotonic() - start

    def lost(self) -> set[str]:
        """Return the acknowledged pictures that the library does not have."""
        lost, ids = set(self.acknowledged), list(self.acknowledged)
        for start in range(0, len(ids), MAX_IDS):
            nodes = self.server.ask(NODES, ids=ids[start : start + MAX_IDS])["nodes"]
            lost -= {node["id"] for node in nodes if node}
        return lost

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        headers = {"GraphQL-Require-Preflight": "1", "Authorization": f"Bearer {KEY}"}
        start = time.monotonic()
        answer: dict[str, Any] = self.server.http.post(
            "/graphql", headers=headers, **request
        ).json()
        assert time.monotonic() - start < MAX_ANSWER_SECONDS
        payload = ((answer.get("data") or {}).get("uploadImages") or {}).get("userErrors") or []
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        codes += [error["code"] for error in payload]
        self.codes.update(codes or ["answered"])
        return answer


@pytest.fixture(scope="module")
def disk() -> Iterator[FailingDisk]:
    with tempfile.TemporaryDirectory(prefix="pictograph-tests-") as name:
        yield FailingDisk(Path(name))


@pytest.fixture(scope="module")
def requests(settings: dict[str, object], disk: FailingDisk) -> Iterator[Requests]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in disk.variables.items():
            patch.setenv(name, value)
        with ServerProcess.start(settings) as server:
            yield Requests(server)


def postmaster_of(settings: dict[str, object]) -> int:
    pid = open_cluster(Path(str(settings["data_dir"])) / "postgres").find_postmaster()
    assert pid
    return pid


@pytest.mark.parametrize(
    ("kind", "files", "per_thousand"),
    [
        ("sync", "/cluster/", 1_000),
        ("sync", "/cluster/pg_wal/", 50),
        ("write", "/cluster/pg_wal/", 1_000),
        ("write", "/cluster/base/", 1_000),
    ],
)
def test_requests_are_refused_while_the_disk_of_the_database_fails_and_then_work_again(
    requests: Requests, disk: FailingDisk, kind: str, files: str, per_thousand: int
) -> None:
    assert requests.upload()
    with disk.failing(kind, files, per_thousand=per_thousand):
        codes = requests.send_for(OUTAGE_SECONDS)
    assert set(codes) <= {"answered", *OUTAGE_CODES}
    requests.recover()
    assert set() == requests.lost()


def test_requests_are_refused_while_the_database_cannot_be_read_and_then_work_again(
    requests: Requests, disk: FailingDisk, settings: dict[str, object]
) -> None:
    assert requests.upload()
    stopped = postmaster_of(settings)
    with disk.failing("read", "/cluster/base/"):
        # Everything is in the memory of a server that runs.
        os.kill(stopped, signal.SIGINT)
        psutil.wait_procs([psutil.Process(stopped)], timeout=MAX_ANSWER_SECONDS)
        codes = requests.send_for(OUTAGE_SECONDS)
    assert set(codes) <= OUTAGE_CODES
    requests.recover()
    assert stopped != postmaster_of(settings)
    assert set() == requests.lost()


def test_the_library_is_whole_after_all_of_these_faults(
    requests: Requests, settings: dict[str, object]
) -> None:
    assert not re.search(r" ERROR (?!infra\.embedded_postgres)", "".join(requests.server.said))
    checked = pictograph("check", "--scrub", settings=settings)
    assert 0 == checked.returncode, checked.stdout + checked.stderr
