"""Work that is written down and done by a process of its own."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.pictures import picture
from tests.e2e.process import COMMAND, KEY, Server, environment, pictograph, typed_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGES = "{ images(first: 100) { nodes { id status failureReason } } }"


@contextmanager
def worker(settings: dict[str, object]) -> Iterator[subprocess.Popen[str]]:
    """Run a worker until the block ends."""
    process = subprocess.Popen(
        [*COMMAND, "worker"],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert "Traceback" not in said, said


def test_a_library_is_checked_and_repaired_by_a_separate_worker(
    model: Path, postgres_url: str, tmp_path: Path
) -> None:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": tmp_path,
        "database_url": typed_url(postgres_url),
        "api_key": KEY,
        "worker": "false",
    }
    with Server.in_thread(settings) as server:
        server.upload({f"{number}.jpg": picture(number) for number in range(6)})
        well = pictograph("check", settings=settings)
        assert (0, "No faults found.") == (well.returncode, well.stdout.splitlines()[-1])
        assert "6 images checked, 6 originals read." in well.stdout

        ids = [node["id"] for node in server.ask(IMAGES)["images"]["nodes"]]
        folders = sorted((tmp_path / "files").glob("*/*"))
        assert len(ids) == len(folders)
        assert not (folders[0] / "large").exists()
        (folders[0] / "thumbnail").unlink()
        shutil.rmtree(folders[1])
        (folders[2] / "original").write_bytes(b"rot")
        ill = pictograph("check", settings=settings)
        assert 1 == ill.returncode
        assert all(folder.name in ill.stdout for folder in folders[:3])
        assert 3 == len(re.findall(r"^│ 1 ", ill.stdout, re.MULTILINE))

        mended = pictograph("check", "--repair", settings=settings)
        assert 0 == mended.returncode, mended.stderr
        assert "3 images repaired, or queued for the workers to repair." in mended.stdout
        states = [node["status"] for node in server.ask(IMAGES)["images"]["nodes"]]
        assert ["FAILED", "FAILED", "PROCESSING", "READY", "READY", "READY"] == sorted(states)

        with worker(settings):
            while "PROCESSING" in str(server.ask(IMAGES)):
                pass
        states = [node["status"] for node in server.ask(IMAGES)["images"]["nodes"]]
        assert ["FAILED"] * 2 + ["READY"] * 4 == sorted(states)
        assert "No faults found." in pictograph("check", settings=settings).stdout

        # The same pictures again take the place of what has failed.
        again = server.upload({f"{number}.jpg": picture(number) for number in range(6)})
        assert 2 == sum(not result["isDuplicate"] for result in again["results"])
        states = [node["status"] for node in server.ask(IMAGES)["images"]["nodes"]]
        assert ["READY"] * 6 == states
