"""A server whose clock jumps by two days, forward and back, beside a database whose clock does not.

libfaketime gives the server's process another time, which the test changes while it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import Server, ServerProcess, pictograph
from tests.e2e.test_direct_uploads import COMPLETE, CREATE, announced, send, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARIES = (
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib/faketime").glob("libfaketimeMT.so.1"),
)
SEARCH = """
query ($after: String) {
  searchImages(by: {text: "a picture"}, first: 1, after: $after) {
    edges { node { id } } pageInfo { endCursor }
  }
}
"""
EVERY_ID = '{ searchImages(by: {text: "a picture"}, first: 50) { nodes { id } } }'

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


@pytest.fixture
def jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the clock of processes that are started: "+2d" is two days ahead."""
    file = tmp_path / "clock"
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")

    def jump(offset: str) -> None:
        file.write_text(offset)

    jump("+0")
    return jump


def upload_directly(server: Server, number: int) -> str:
    """Upload a picture past the API, wait until it can be found, and return its id."""
    data = picture(number)
    [target] = create_target(server, data)
    assert 204 == send(target, data)
    done = server.ask(COMPLETE, ids=[target["id"]])["completeUploads"]
    assert [] == done["userErrors"]
    image_id: str = done["results"][0]["image"]["id"]
    wait_until_ready(server, [image_id])
    return image_id


def create_target(server: Server, data: bytes) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = server.ask(CREATE, files=[announced(data)])[
        "createUploadTargets"
    ]["targets"]
    return targets


def test_nothing_stops_or_is_lost_when_the_clock_jumps(
    shared_settings: dict[str, object], jump: Callable[[str], None]
) -> None:
    with ServerProcess.start(shared_settings) as server:
        uploaded = server.upload({f"{n}.jpg": picture(n) for n in range(3)})["results"]
        ids = {result["image"]["id"] for result in uploaded} | {upload_directly(server, 3)}
        page = server.ask(SEARCH)["searchImages"]
        [old_target] = create_target(server, picture(4))
        for number, offset in enumerate(("+2d", "-2d", "+0"), 5):
            jump(offset)
            if offset == "+2d":
                assert 403 == send(old_target, picture(4))
            variables = {"after": page["pageInfo"]["endCursor"]}
            answer = server.http.post(
                "/graphql", json={"query": SEARCH, "variables": variables}
            ).json()
            if "errors" in answer:
                assert offset == "+2d"
                assert "SEARCH_EXPIRED" == answer["errors"][0]["extensions"]["code"]
            ids.add(upload_directly(server, number))
            found = server.ask(EVERY_ID)["searchImages"]["nodes"]
            assert ids == {node["id"] for node in found}
            assert 200 == server.http.get("/readyz").status_code
    checked = pictograph("check", settings=shared_settings)
    assert 0 == checked.returncode, checked.stdout + checked.stderr
