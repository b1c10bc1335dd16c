"""Files that attack the decoders: each gets its refusal, and its neighbours are accepted."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from infra.settings import read_settings
from tests import hostile_files
from tests.decoder_processes import decoder_processes_of
from tests.e2e.pictures import picture
from tests.e2e.process import UPLOAD, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.hostile_files import HostileFile

DECODE_SECONDS = 2
neighbour_numbers = count(1_000)


@pytest.fixture(scope="module")
def server(shared_settings: dict[str, object]) -> Iterator[Server]:
    with Server.in_thread(shared_settings | {"decode_seconds": DECODE_SECONDS}) as server:
        yield server


def upload(server: Server, files: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """Send files whose names may be equal, and return the payload."""
    operations = {"query": UPLOAD, "variables": {"files": [None] * len(files)}}
    payload: dict[str, Any] = server.multipart(operations, "variables.files", files)["uploadImages"]
    return payload


@pytest.mark.parametrize(
    "generate",
    [
        hostile_files.floods,
        hostile_files.lies,
        hostile_files.text_chunks,
        hostile_files.exif,
        hostile_files.polyglots,
        hostile_files.names,
        hostile_files.truncated,
    ],
)
def test_a_hostile_file_gets_its_refusal_and_its_neighbours_are_accepted(
    server: Server, generate: Callable[[], Iterator[HostileFile]]
) -> None:
    files = list(generate())
    expected: dict[str, str | None] = {each.what: each.code for each in files}
    found: dict[str, str | None] = {}
    for start in range(0, len(files), 18):
        batch = files[start : start + 18]
        first, last = (("good.jpg", picture(next(neighbour_numbers))) for _ in range(2))
        payload = upload(server, [first, *((each.name, each.data) for each in batch), last])
        errors = {int(error["field"][-1]): error for error in payload["userErrors"]}
        assert not {0, len(batch) + 1} & set(errors), errors
        assert all(error["message"].endswith(".") for error in errors.values())
        found |= {
            each.what: errors[place]["code"] if place in errors else None
            for place, each in enumerate(batch, start=1)
        }
    assert expected == found


def test_the_names_of_files_are_shown_without_folders_and_control_characters(
    server: Server, shared_settings: dict[str, object]
) -> None:
    files = [(each.name, each.data) for each in hostile_files.names()]
    results = upload(server, files)["results"]
    assert list(hostile_files.HOSTILE_NAMES.values()) == [
        result["image"]["filename"] for result in results
    ]
    folder = Path(str(shared_settings["data_dir"])) / "files"
    for file in folder.rglob("*"):
        if (
            file.is_file() and file.parent != folder
        ):  # the folder itself has the marker of the library
            assert UUID(file.parent.name)
            assert file.name in {"original", "large", "thumbnail"}


def test_a_picture_gets_at_most_ten_seconds_and_a_gibibyte_by_default(server: Server) -> None:
    defaults = read_settings()
    # The limit of CPU time is rounded up to whole seconds.
    assert defaults.decode_seconds + 1 < 10
    assert defaults.decode_memory_bytes <= 1 << 30
    assert server.ask("{ service { version } }")
    for pid in decoder_processes_of(os.getpid()):
        limits = Path(f"/proc/{pid}/limits").read_text()
        [memory] = [line for line in limits.splitlines() if line.startswith("Max address space")]
        assert str(defaults.decode_memory_bytes) in memory
