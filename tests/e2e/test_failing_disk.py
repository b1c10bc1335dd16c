"""A data folder on a disk that fails with EIO: clean refusals, nothing acknowledged, recovery.

libfiu lets the system calls of the server's process fail while the test says so.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import ServerProcess, pictograph
from tests.e2e.test_outages import code_of, readiness, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

PRELOADED = (Path("/usr/lib/fiu/fiu_run_preload.so"), Path("/usr/lib/fiu/fiu_posix_preload.so"))
SEARCH = '{ searchImages(by: {text: "a picture"}, first: 50) { nodes { id } } }'
EIO = 5

pytestmark = pytest.mark.skipif(
    shutil.which("fiu-ctrl") is None or not all(file.exists() for file in PRELOADED),
    reason="libfiu is not installed",
)


class FailingCalls:
    """Lets system calls of a process fail with EIO."""

    def __init__(self, control: Path, pid: int) -> None:
        self._arguments = ["fiu-ctrl", "-f", str(control), str(pid)]

    @contextmanager
    def failing(self, name: str, *, probability: float = 1) -> Iterator[None]:
        options = f"name={name},probability={probability},failinfo={EIO}"
        self._send(f"enable_random {options}")
        try:
            yield
        finally:
            self._send(f"disable name={name}")

    def _send(self, command: str) -> None:
        subprocess.run([*self._arguments[:3], "-c", command, self._arguments[3]], check=True)


def test_an_upload_whose_bytes_cannot_be_kept_is_refused_and_leaves_nothing_behind(
    shared_settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Converts the model: a process that does so with libfiu preloaded ends at its first picture.
    assert 0 == pictograph("search", "a picture", settings=shared_settings).returncode
    control = tmp_path / "fiu"
    monkeypatch.setenv("LD_PRELOAD", " ".join(str(file) for file in PRELOADED))
    monkeypatch.setenv("FIU_CTRL_FIFO", str(control))
    with ServerProcess.start(shared_settings) as server:
        monkeypatch.undo()
        calls = FailingCalls(control, server.process.pid)
        server.upload({"0.jpg": picture(0)})
        acknowledged = 1
        with calls.failing("posix/io/sync/fsync"):
            assert (503, "SERVICE_UNAVAILABLE") == code_of(upload(server, 1))
            assert 1 == len(server.ask(SEARCH)["searchImages"]["nodes"])
        with calls.failing("posix/io/sync/fsync", probability=0.05):
            for number in range(2, 12):
                answer = upload(server, number)
                if answer.status_code == 200:
                    acknowledged += 1
                else:
                    assert (503, "SERVICE_UNAVAILABLE") == code_of(answer)
        assert (200, []) == readiness(server)
        assert 1 < acknowledged < 11
        assert acknowledged == len(server.ask(SEARCH)["searchImages"]["nodes"])
        for number in range(1, 12):
            assert 200 == upload(server, number).status_code
        assert 12 == len(server.ask(SEARCH)["searchImages"]["nodes"])
    checked = pictograph("check", "--scrub", settings=shared_settings)
    assert 0 == checked.returncode, checked.stdout + checked.stderr
