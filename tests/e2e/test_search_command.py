"""`pictograph search`, as it is typed, with the bundled model."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.pictures import picture
from tests.e2e.process import Server, pictograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    Search: TypeAlias = Callable[..., str]

CASTLES = {"castle.png", "castle again.webp", "castle small.jpg"}


@pytest.fixture
def search(postcards: Server, monkeypatch: pytest.MonkeyPatch) -> Search:
    """What runs the command beside the server, and returns what it printed or why it refused."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, status: int = 0) -> str:
        done = pictograph("search", *arguments, settings=postcards.settings)
        assert status == done.returncode, done.stderr
        assert "Traceback" not in done.stderr
        if status != 1:
            return done.stderr if status else done.stdout
        # After the library's name.
        return done.stderr.splitlines(keepends=True)[-1]

    return run


def files(table: str) -> list[str]:
    """The names in a table's rows, in order."""
    return re.findall(r"(\w[\w ]*\.(?:png|jpg|webp))", table)


def test_words_are_found_with_how_relevant_they_are(search: Search) -> None:
    table = search("a red sailboat at sunset", "--first", "4")
    assert {"sunset 0.png", "sunset 1.png", "sunset 2.png"} == set(files(table)[:3])
    assert 4 == len(files(table))
    assert 3 == len(re.findall(r"(?:strong|likely) [01]\.\d\d", table))
    assert 1 == len(re.findall(r"weak 0\.\d\d", table))
    assert table.endswith("\n3 pictures are relevant: likely or strong.\n")


def test_things_are_left_out(search: Search) -> None:
    table = search("a harbour", "--unlike", "boats", "--first", "4")
    assert {f"quay {n}.png" for n in range(4)} == set(files(table))


def test_a_picture_is_looked_for_by_its_file_and_within_a_filter(
    search: Search, postcards: Server, tmp_path: Path
) -> None:
    query = '{ images(first: 100, filter: {keywords: "castle"}) { nodes { filename url } } }'
    urls = {node["filename"]: node["url"] for node in postcards.ask(query)["images"]["nodes"]}
    example = tmp_path / "example.jpg"
    example.write_bytes(postcards.http.get(urls["castle small.jpg"]).content)
    options = ("--tag", "meadow", "--no-tag", "sea", "--keywords", "postcard", "--first", "2")
    table = search("--image", str(example), "--collapse", "near-duplicates", *options)
    castle, other = files(table)
    assert castle in CASTLES
    assert other.startswith("meadow")
    assert re.search(rf"strong .*│ 3 +│ {castle}", table)
    assert "1 picture is relevant: likely or strong." in table


def test_an_empty_result_has_its_reason(search: Search) -> None:
    sentence = "No picture matches all filters; leave out some of them.\n"
    assert sentence == search("a castle", "--taken-from", "2025")
    table = search("a cactus", "--tag", "lake", "--first", "3")
    assert 3 == len(files(table))
    assert table.endswith(
        "No picture that matches the filters is likely to be relevant; the nearest are shown.\n"
    )


def test_what_cannot_be_read_is_one_sentence(search: Search, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    refused = search("--image", str(notes), status=1)
    assert refused.startswith("notes.txt: This file is not in a supported format; send one of ")
    assert 1 == refused.count("\n")
    refused = search("a boat", "--near", "43.47,11.88", status=1)
    assert refused.startswith("--near: 43.47,11.88 is not a place; write latitude, longitude and ")
    assert 1 == refused.count("\n")
    assert "--no-such-option" in search("a boat", "--no-such-option", status=2)


def test_the_running_server_is_asked_and_says_the_same_as_the_library(
    search: Search, postcards: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = tmp_path / "example.png"
    example.write_bytes(picture(3))
    questions = (
        ("a red sailboat at sunset",),
        ("a harbour", "--unlike", "boats", "--collapse", "near-duplicates"),
        ("--image", str(example), "--tag", "sea", "--taken-from", "2020", "--min-width", "100"),
        ("a castle", "--min-relevance", "0.99999"),
        ("a castle", "--orientation", "portrait", "--near", "43.47,11.88,25"),
    )
    asked = [search(*question, "--json") for question in questions]
    # Without its record, the server is not found, and the library is searched in this process.
    monkeypatch.setattr("pictograph.cli.search.running_url", lambda _: None)
    for question, answer in zip(questions, asked, strict=True):
        by_server, by_library = json.loads(answer), json.loads(search(*question, "--json"))
        assert (postcards.url, None) == (by_server.pop("server"), by_library.pop("server"))
        for picture_of_server in by_server["pictures"]:
            assert picture_of_server.pop("url").startswith(postcards.url)
        for picture_of_library in by_library["pictures"]:
            assert picture_of_library.pop("url") is None
        assert by_library == by_server


def test_the_running_server_loads_the_only_model(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("pictograph.app.open_pictograph", refuse)
    assert 4 == len(files(search("a red sailboat at sunset", "--first", "4")))
    refused = search("--image-id", "00000000-0000-7000-8000-000000000000", status=1)
    assert refused.startswith("--image-id: There is no such image that can be searched by")


def test_an_id_of_the_api_is_an_id_of_the_options(search: Search) -> None:
    [found] = json.loads(search("a castle", "--first", "1", "--json"))["pictures"]
    again = json.loads(search("a castle", "--not", found["id"], "--first", "50", "--json"))
    assert found["id"] not in [each["id"] for each in again["pictures"]]
    similar = json.loads(search("--image-id", found["id"], "--first", "1", "--json"))
    assert [found["uuid"]] == [each["uuid"] for each in similar["pictures"]]


def test_the_best_picture_is_opened_in_its_program(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "platform", "linux")
    [found] = json.loads(search("a castle", "--first", "1", "--json", "--open"))["pictures"]
    assert found["path"] == (tmp_path / "opened").read_text()
