"""A server whose embedded PostgreSQL dies, and one whose disk is full."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from infra.embedded_postgres.cluster import open_cluster
from tests.disks import fill, mounted
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, pictograph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARY = "{ images(first: 100) { nodes { id } } }"
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The data folder on a disk of 256 MiB."""
    with mounted(tmp_path / "disk", megabytes=256) as folder:
        yield folder


def test_a_server_answers_again_after_its_embedded_postgres_has_died(
    model: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with Server.in_thread(settings) as server:
        server.upload({"a.jpg": picture(1)})
        postmaster = open_cluster(tmp_path / "postgres").find_postmaster()
        assert postmaster
        os.kill(postmaster, signal.SIGKILL)
        deadline = time.monotonic() + 120
        # Backends answer for a moment after their postmaster has died.
        while "errors" in (
            answer := server.http.post("/graphql", json={"query": LIBRARY}).json()
        ) or "runs again" not in "".join(server.said):
            assert sorted(answer) in (["data"], ["data", "errors"]), answer
            assert time.monotonic() < deadline, server.said
            time.sleep(0.1)
        assert 1 == len(answer["data"]["images"]["nodes"])
        server.upload({"b.jpg": picture(2)})
        assert 200 == server.http.get("/readyz").status_code


def test_a_server_starts_on_a_full_disk_so_that_images_can_be_deleted(
    model: Path, small_disk: Path
) -> None:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": small_disk,
        "api_key": KEY,
        # What is in the trash keeps its room, and to move it there takes some.
        "trash_days": 0,
    }
    with Server.in_thread(settings) as server:
        server.upload({f"{number}.jpg": picture(number) for number in range(5)})
    fill(small_disk)
    with Server.in_thread(settings) as server:
        fill(small_disk)
        ids = [node["id"] for node in server.ask(LIBRARY)["images"]["nodes"]]
        assert len(ids) == len(server.ask(DELETE, ids=ids)["deleteImages"]["deletedImageIds"]) == 5
    assert not list((small_disk / "files").glob("*/*/*"))
    fill(small_disk)
    refused = pictograph("keys", "list", settings=settings)
    assert refused.returncode == 1
    assert "is full, so the embedded PostgreSQL does not start" in refused.stderr
    (small_disk / "other").unlink()
    allowed = pictograph("keys", "list", settings=settings)
    assert allowed.returncode == 0, allowed.stderr
