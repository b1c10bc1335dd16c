"""Changing the model of a server that is searched, filled and emptied meanwhile."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.changing_models import (
    DELETE,
    MODELS,
    PATIENCE,
    SEARCH,
    Traffic,
    answers,
    every_id,
    findable,
    is_in,
    say,
    until,
)
from tests.e2e.leases import expire_leases
from tests.e2e.pictures import picture
from tests.e2e.postcards import fill
from tests.e2e.process import (
    COMMAND,
    KEY,
    Server,
    ServerProcess,
    environment,
    pictograph,
)
from tests.e2e.second_model import second_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def second(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return second_model(model, tmp_path_factory.mktemp("models") / "second")


def test_a_model_changes_while_everything_goes_on(
    model: Path, second: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with Server.in_thread(settings) as server:
        fill(server)
        here = every_id(server)
        traffic = Traffic(server)
        with traffic.running():
            opened = server.ask(SEARCH, text="a castle", first=3)["searchImages"]
            after = opened["pageInfo"]["endCursor"]
            behind = server.ask(SEARCH, text="a castle", first=20, after=after)["searchImages"]

            assert "is backfilling" in say("add", str(second), settings=settings)
            until(server, is_in("READY", "second"))
            compared = say("compare", "a castle", "--with", "sec", settings=settings)
            assert "overlap@10" in compared
            promote("second", settings=settings)
            until(server, answers("second"))

            # Who went through the pages of the old model goes on doing so.
            now = server.ask(SEARCH, text="a castle", first=20, after=after)["searchImages"]
            assert behind["explain"] == now["explain"]
            assert _left(behind, traffic) == _left(now, traffic)

            assert "model@" in say("rollback", settings=settings)
            until(server, answers("model"))
            assert "second@" in say("rollback", settings=settings)
            until(server, answers("second"))
            say("drop", "model", settings=settings)
            until(server, is_in("RETIRED", "model"))
        assert [] == traffic.failures
        assert {"model", "second"} == traffic.answered_by
        expired = server.http.post(
            "/graphql",
            json={
                "query": SEARCH,
                "variables": {"text": "a castle", "first": 3, "after": after},
            },
        ).json()
        assert "SEARCH_EXPIRED" == expired["errors"][0]["extensions"]["code"]
        expected = (here | traffic.uploaded) - traffic.deleted
        assert expected == every_id(server)
        until(server, lambda told: told["service"]["model"]["embeddedCount"] == len(expected))
        told = until(server, lambda told: told["models"][1]["embeddedCount"] == len(expected))
        assert ["RETIRED", "ACTIVE"] == [each["state"] for each in told["models"]]
        assert expected == findable(server)
    # The library knows which model it has now, whatever it began with.
    with Server.in_thread(settings) as server:
        until(server, answers("second"))
        assert expected == findable(server)


def promote(name: str, *, settings: dict[str, object]) -> None:
    """Promote a model as soon as it has embedded what is uploaded meanwhile."""
    end = time.monotonic() + PATIENCE
    while (done := pictograph("models", "promote", name, settings=settings)).returncode:
        assert "let a worker finish, and try again" in done.stderr
        assert time.monotonic() < end, done.stderr
    assert f"{name}@" in done.stdout


def _left(page: dict[str, Any], traffic: Traffic) -> list[str]:
    return [node["id"] for node in page["nodes"] if node["id"] not in traffic.deleted]


@contextmanager
def killed_server(settings: dict[str, object]) -> Iterator[ServerProcess]:
    """Run a server until the block ends, and then kill it."""
    with ServerProcess.start(settings) as server:
        yield server
        server.process.kill()
        server.process.wait(timeout=60)
    expire_leases(settings)


def kill_when(
    server: Server,
    condition: Callable[[dict[str, Any]], bool],
    *arguments: str,
    settings: dict[str, object],
) -> None:
    """Kill a command as soon as something is so, if it has not ended by then."""
    process = subprocess.Popen(
        [*COMMAND, "models", *arguments],
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(server, condition)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)


def test_a_change_killed_at_any_step_is_completed_by_the_next_process(
    model: Path, second: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    with killed_server(settings) as server:
        fill(server)
        here = every_id(server)
        kill_when(
            server, lambda told: len(told["models"]) > 1, "add", str(second), settings=settings
        )
        say("add", str(second), settings=settings)
        until(server, lambda told: told["models"][-1]["embeddedCount"] > 0)
    with killed_server(settings) as server:
        until(server, answers("model"))
        [gone] = server.ask(DELETE, ids=[min(here)])["deleteImages"]["deletedImageIds"]
        here.remove(gone)
        until(server, lambda told: told["models"][-1]["embeddedCount"] == len(here))
    # Between the last picture and the index, or just after it.
    with killed_server(settings) as server:
        until(server, is_in("READY", "second"))
        kill_when(server, answers("second"), "promote", "second", settings=settings)
        until(server, is_in("ACTIVE", "second"))
    with Server.in_thread(settings) as server:
        until(server, answers("second"))
        kill_when(server, is_in("RETIRED", "model"), "drop", "model", settings=settings)
        assert "model@" in say("drop", "model", settings=settings)
        told = server.ask(MODELS)["models"]
        assert [("RETIRED", 0), ("ACTIVE", len(here))] == [
            (each["state"], each["embeddedCount"]) for each in told
        ]
        assert here == every_id(server) == findable(server)
        # Nothing of the old model is left in the way of its return.
        assert "is backfilling" in say("add", str(model), settings=settings)
        until(server, is_in("READY", "model"))


def test_a_model_is_quantised_by_pictures_of_the_library_and_promoted(
    model: Path, tmp_path: Path
) -> None:
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path, "api_key": KEY}
    add = ("models", "add", str(model), "--dtype", "int8")
    with Server.in_thread(settings) as server:
        fill(server)
        refused = pictograph(*add, settings=settings)
        assert 1 == refused.returncode
        assert "needs 64 pictures of the library to calibrate by, and 50 can be" in refused.stderr
        server.upload({f"{number}.jpg": picture(number) for number in range(20)})

        said = pictograph(*add, settings=settings)
        assert 0 == said.returncode, said.stderr
        assert "is calibrated on 35 pictures. On 35 others" in said.stdout
        assert "is backfilling" in said.stdout
        name = said.stdout.split()[0]
        assert "+int8@" in name
        until(server, is_in("READY", name.rpartition("@")[0]))
        # Vectors of both are there, and are not mixed.
        assert [70, 70] == [each["embeddedCount"] for each in server.ask(MODELS)["models"]]
        compared = say("compare", "a castle", "--with", name, settings=settings)
        assert "overlap@10" in compared
    refused = pictograph("search", "a castle", settings=settings | {"dtype": "int8"})
    assert 1 == refused.returncode
    assert "is not quantised, as PICTOGRAPH_DTYPE=int8 demands" in refused.stderr
    say("promote", name, settings=settings)
    for dtype in ("int8", "auto"):
        with Server.in_thread(settings | {"dtype": dtype}) as server:
            assert name == server.ask(MODELS)["service"]["model"]["name"]
            assert server.ask(SEARCH, text="a castle", first=3)["searchImages"]["nodes"]


def test_a_server_that_cannot_load_the_promoted_model_goes_on(
    model: Path, second: Path, tmp_path: Path
) -> None:
    moving = tmp_path / "moving"
    shutil.copytree(second, moving)
    settings: dict[str, object] = {"model": model, "data_dir": tmp_path / "data", "api_key": KEY}
    with Server.in_thread(settings) as server:
        server.upload({"0.jpg": picture(0)})
        say("add", str(moving), settings=settings)
        until(server, is_in("READY", "moving"))
    (moving / "config.json").rename(moving / "gone.json")
    with Server.in_thread(settings) as server:
        server.wait_for(r"(moving@\w+ cannot be loaded)")
        say("promote", "moving", settings=settings)
        server.wait_for(r"(model@\w+ goes on answering)")
        assert server.ask(SEARCH, text="a picture", first=5)["searchImages"]["nodes"]
        assert is_in("ACTIVE", "moving")(server.ask(MODELS))
    # At a start there is none that goes on.
    refused = pictograph("search", "a picture", settings=settings)
    assert 1 == refused.returncode
    assert "holds no config.json" in refused.stderr
