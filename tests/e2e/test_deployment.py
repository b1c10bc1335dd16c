"""A server on a database and a bucket of its own, as in production, and one that is killed."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.decoder_processes import decoder_processes_of
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, ServerProcess, pictograph, typed_url
from tests.s3_server import ACCESS_KEY as S3_KEY
from tests.s3_server import s3_server

LIBRARY = "{ images(first: 100) { nodes { id filename url(variant: LARGE) } } }"
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"

RESTORE = "mutation ($ids: [ID!]!) { restoreImages(input: {ids: $ids}) { images { id } } }"


def test_a_database_and_a_bucket_take_the_place_of_the_embedded_ones(
    model: Path, postgres_url: str, tmp_path: Path
) -> None:
    with s3_server() as store:
        settings: dict[str, object] = {
            "model": model,
            "data_dir": tmp_path / "never made",
            "database_url": typed_url(postgres_url),
            "s3_bucket": "pictures",
            "s3_prefix": "library",
            "s3_endpoint_url": store,
            "s3_access_key_id": S3_KEY,
            "s3_secret_access_key": S3_KEY,
            "api_key": KEY,
        }
        missing = pictograph("sweep", settings=settings)
        assert missing.returncode == 1
        assert "pictures" in missing.stderr
        made = pictograph("migrate", "--create-bucket", settings=settings)
        assert made.returncode == 0, made.stderr
        with ServerProcess.start(settings) as server:
            [result] = server.upload({"a.jpg": picture(1)})["results"]
            [node] = server.ask(LIBRARY)["images"]["nodes"]
            assert node["id"] == result["image"]["id"]
            assert server.http.get(node["url"]).headers["content-type"] == "image/webp"
            assert picture(1) == server.http.get(result["image"]["url"]).content
            server.ask(DELETE, ids=[node["id"]])
            assert server.http.get(node["url"]).status_code == 404
            assert [] == server.ask(LIBRARY)["images"]["nodes"]
            server.ask(RESTORE, ids=[node["id"]])
            assert [node] == server.ask(LIBRARY)["images"]["nodes"]
            assert picture(1) == server.http.get(result["image"]["url"]).content
            server.ask(DELETE, ids=[node["id"]])
        emptied = pictograph("sweep", settings=settings | {"trash_days": 0})
        assert "1 images of the trash removed." in emptied.stdout
        assert "0 stored files checked" in pictograph("sweep", settings=settings).stdout
        assert not (tmp_path / "never made").exists()


def test_a_killed_server_loses_nothing_and_a_stopped_server_leaves_nothing_running(
    model: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with ServerProcess.start(settings) as server:
        server.upload({f"{number}.jpg": picture(number) for number in range(5)})
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(timeout=30)
    with ServerProcess.start(settings) as server:
        nodes = server.ask(LIBRARY)["images"]["nodes"]
        assert {f"{number}.jpg" for number in range(5)} == {node["filename"] for node in nodes}
        assert all(server.http.get(node["url"]).status_code == 200 for node in nodes)
        found = server.ask('{ searchImages(by: {text: "a kite"}) { nodes { id } } }')
        assert 5 == len(found["searchImages"]["nodes"])
        accepted = upload_during_a_stop_of_the_whole_service(server)
        assert server.process.wait(timeout=60) == 0
    assert [] == accepted["userErrors"]
    assert 8 == len(accepted["results"])
    assert not list(tmp_path.glob("postgres/**/postmaster.pid"))


def upload_during_a_stop_of_the_whole_service(server: ServerProcess) -> dict[str, Any]:
    """Upload eight pictures, and stop the server and its decoder processes meanwhile."""
    decoders = decoder_processes_of(server.process.pid)
    used_before = sum(map(cpu_ticks, decoders))
    files = {f"{number}.jpg": picture(number, side=700) for number in range(10, 18)}
    with ThreadPoolExecutor(1) as client:
        upload = client.submit(server.upload, files)
        while sum(map(cpu_ticks, decoders)) == used_before and not upload.done():
            time.sleep(0.01)
        for pid in (*decoders, server.process.pid):
            os.kill(pid, signal.SIGTERM)
        return upload.result()


def cpu_ticks(pid: int) -> int:
    """Return the CPU time that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return int(user) + int(system)


def test_reading_can_be_closed(model: Path, postgres_url: str, tmp_path: Path) -> None:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": tmp_path,
        "database_url": typed_url(postgres_url),
        "api_key": KEY,
        "public_reading": "false",
    }
    with Server.in_thread(settings) as server:
        [result] = server.upload({"a.jpg": picture(1)})["results"]
        closed = server.http.post("/graphql", json={"query": LIBRARY}).json()
        assert [error["extensions"]["code"] for error in closed["errors"]] == ["UNAUTHENTICATED"]
        url = result["image"]["url"]
        assert server.http.get(url).status_code in {401, 403}
        opened = server.http.get(url, headers={"Authorization": f"Bearer {KEY}"})
        assert picture(1) == opened.content
        assert "private" in opened.headers["cache-control"]
