"""The commands of `pictograph`, as they are typed."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import ROOT, Server, pictograph, run_process

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

UPDATE = 'mutation ($id: ID!) { updateImage(input: {id: $id, altText: "a"}) { image { id } } }'


@pytest.fixture(scope="module")
def server(settings: dict[str, object]) -> Iterator[Server]:
    """A server on defaults, whose embedded PostgreSQL the commands join."""
    with Server.in_thread(settings) as server:
        yield server


@pytest.fixture
def no_key(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name != "api_key"}


def test_a_key_is_made_shown_once_used_listed_and_revoked(server: Server) -> None:
    settings = {"data_dir": server.settings["data_dir"]}
    made = pictograph("keys", "create", "the app", "--scope", "write", settings=settings)
    key = made.stdout.strip()
    assert key.startswith("pictograph_")
    image = server.upload({"a.jpg": picture(1)}, key=key)["results"][0]["image"]
    server.ask(UPDATE, key=key, id=image["id"])

    listed = pictograph("keys", "list", settings=settings).stdout
    assert "the app" in listed
    assert "WRITE" in listed
    assert key not in listed
    [key_id] = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)

    assert pictograph("keys", "revoke", key_id, settings=settings).returncode == 0
    again = pictograph("keys", "revoke", key_id, settings=settings)
    assert again.returncode == 1
    assert f"No valid key has the id {key_id}" in again.stderr
    refused = server.http.post(
        "/graphql",
        json={"query": UPDATE, "variables": {"id": image["id"]}},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert "unknown or revoked" in refused.text


def test_a_folder_is_copied_with_the_bad_files_named_and_found_by_words(
    no_key: dict[str, object], tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "day 2").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "one.jpg").write_bytes(picture(2))
    (folder / "day 2" / "two.jpg").write_bytes(picture(3))
    (folder / "day 2" / "the same.jpg").write_bytes(picture(3))
    (folder / "broken.jpg").write_text("not a picture")
    (folder / "notes.txt").write_text("a text")
    (folder / ".hidden" / "three.jpg").write_bytes(picture(4))
    settings = no_key | {"data_dir": tmp_path / "data"}

    done = pictograph("import", str(folder), "--copy", settings=settings)
    assert done.returncode == 1
    assert "2 imported, 1 already in the library, 1 refused." in done.stdout
    assert "Passed over, since they are no pictures: other files 1." in done.stdout
    assert "broken.jpg" in done.stderr
    assert "Traceback" not in done.stderr

    found = run_process("search", "a sailboat", "--first", "5", settings=settings)
    assert found.returncode == 0, found.stderr
    assert "one.jpg" in found.stdout
    empty = pictograph("search", "a sailboat", settings=settings | {"data_dir": tmp_path / "new"})
    assert "The library is empty" in empty.stdout

    swept = pictograph("sweep", settings=settings)
    assert "4 stored files checked, 0 unreferenced files removed.\n" in swept.stdout


def test_tune_measures_the_library_and_a_search_uses_what_it_chose(
    no_key: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.jpg").write_bytes(picture(20 + number))
    settings = no_key | {"data_dir": tmp_path / "data"}
    assert pictograph("import", str(folder), settings=settings).returncode == 0

    refused = pictograph("tune", settings=settings)
    assert refused.returncode == 1
    assert "12 embedded images; below 2,000, every search is exact" in refused.stderr

    monkeypatch.setattr("domain.use_cases.search.tune.MIN_IMAGES", 12)
    chart = tmp_path / "chart.svg"
    options = "--queries", "10", "--explain", "--chart", str(chart), "--dry-run"
    tried = pictograph("tune", *options, settings=settings)
    assert tried.returncode == 0, tried.stderr
    assert "text, 120 hits, filter: none" in tried.stdout
    assert "Nothing was changed." in tried.stdout
    assert chart.read_text().startswith("<svg")

    tuned = pictograph("tune", "--queries", "10", "--recall", ".9", settings=settings)
    assert "Running servers use the parameters from now on" in tuned.stdout
    with Server.in_thread(settings) as server:
        assert "for a recall of 0.9 among 12 images" in origin_of_parameters(server)
        assert "default" in pictograph("tune", "--reset", settings=settings).stdout
        # The server is notified, and reads the parameters a moment later.
        deadline = time.monotonic() + 120
        while "from the default table" not in origin_of_parameters(server):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def origin_of_parameters(server: Server) -> str:
    """Return the first line of a plan."""
    answer = server.ask('{ searchImages(by: {text: "a boat"}) { explain { plan } } }', key=None)
    return str(answer["searchImages"]["explain"]["plan"].splitlines()[0])


def test_a_folder_that_is_not_there_is_named(no_key: dict[str, object]) -> None:
    refused = pictograph("import", "/no/such/folder", settings=no_key)
    assert refused.returncode == 1
    assert "There is no folder /no/such/folder; check how it is spelled.\n" == refused.stderr


def test_the_schema_is_exported(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    assert pictograph("export-schema", str(file), settings={}).returncode == 0
    assert (ROOT / "graph" / "schema.graphql").read_text() == file.read_text()
    assert file.read_text() == pictograph("export-schema", settings={}).stdout


def test_the_doctor_finds_what_is_well_and_what_is_not(
    no_key: dict[str, object], tmp_path: Path
) -> None:
    well = pictograph("doctor", settings=no_key)
    assert well.returncode == 0, well.stdout
    assert 4 == well.stdout.count("✓")
    assert "PICTOGRAPH_DATA_DIR" in well.stdout
    new = tmp_path / "new"
    ill = pictograph("doctor", settings={"model": "/no/such/model", "data_dir": new})
    assert ill.returncode == 1
    assert 1 == ill.stdout.count("✗")
    assert "/no/such/model" in ill.stdout
    assert "will be created" in ill.stdout
    assert not (new / "postgres").exists()


@pytest.mark.parametrize("command", ["keys list", "migrate", "sweep"])
def test_a_command_that_needs_no_model_does_not_wait_for_torch(
    command: str, no_key: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = run_process(*command.split(), settings=no_key)
    assert 0 == done.returncode, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "infra.postgres" in imported
    assert not {"torch", "transformers"} & imported


def test_migrating_twice_does_no_harm(no_key: dict[str, object]) -> None:
    for _ in range(2):
        done = pictograph("migrate", settings=no_key)
        assert "The database has all migrations of this version.\n" == done.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"port": "many"}, "PICTOGRAPH_PORT cannot be used"),
        ({"model": "/no/such/model"}, "/no/such/model"),
        ({"host": "::"}, "there is no key: run `pictograph keys create NAME`"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_sentence(
    given: dict[str, object], sentence: str, no_key: dict[str, object], tmp_path: Path
) -> None:
    # A library of its own: the other tests' has keys.
    _assert_refused(pictograph("serve", settings=no_key | {"data_dir": tmp_path} | given), sentence)


# `serve` opens its database as every command does, once it has loaded a model.
@pytest.mark.parametrize(
    ("database_url", "sentence"),
    [
        ("mysql://host/name", "Pictograph needs PostgreSQL"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be used"),
    ],
)
def test_an_unusable_database_is_reported_in_one_sentence(database_url: str, sentence: str) -> None:
    refused = pictograph("keys", "list", settings={"database_url": database_url})
    _assert_refused(refused, sentence)


def _assert_refused(refused: subprocess.CompletedProcess[str], sentence: str) -> None:
    assert refused.returncode == 1
    [last] = refused.stderr.strip().splitlines()[-1:]
    assert sentence in last
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_named(no_key: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = pictograph("serve", "--port", str(port), settings=no_key)
    assert refused.returncode == 1
    assert f"The server cannot listen on port {port} of 127.0.0.1" in refused.stderr
