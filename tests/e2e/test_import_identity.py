"""Imported images keep ids, tags and texts while their files move and change."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, pictograph, typed_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "{ images(first: 100) { nodes { id filename tags altText rating byteSize } } }"
UPDATE = """mutation ($id: ID!) {
    updateImage(input: {id: $id, altText: "A quay", rating: 4}) { image { id } }
    tagImages(input: {imageIds: [$id], tags: ["mine"]}) { images { id } }
}"""
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"
HOUR_SECONDS = 3_600


def rated(number: int) -> bytes:
    """Return a picture as a rating tool rewrites it: another comment, the same pixels."""
    data = picture(number)
    comment = b"rated: 5 stars"
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return data[:2] + segment + data[2:]


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()


class ImportedFolder:
    """A folder, and the library that it is imported into."""

    def __init__(self, folder: Path, settings: dict[str, object], server: Server) -> None:
        self.folder = folder
        self.settings = settings
        self.server = server

    def put(self, name: str, data: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)

    def run(self, *options: str, status: int = 0) -> str:
        return self.command("import", str(self.folder), *options, status=status)

    def command(self, *arguments: str, status: int = 0, **settings: object) -> str:
        done = pictograph(*arguments, settings=self.settings | settings)
        assert "Traceback" not in done.stderr
        assert status == done.returncode, done.stderr + done.stdout
        return done.stdout + done.stderr

    def images(self) -> dict[str, dict[str, Any]]:
        return {node["filename"]: node for node in self.server.ask(PAGE)["images"]["nodes"]}


@pytest.fixture
def imported(model: Path, postgres_url: str, tmp_path: Path) -> Iterator[ImportedFolder]:
    settings: dict[str, object] = {
        "model": model,
        "data_dir": tmp_path / "data",
        "database_url": typed_url(postgres_url),
    }
    with Server.in_thread(settings | {"api_key": KEY}) as server:
        yield ImportedFolder(tmp_path / "holiday", settings, server)


def test_images_keep_ids_and_work_while_their_files_are_renamed_touched_and_rated(
    imported: ImportedFolder,
) -> None:
    for number in range(4):
        imported.put(f"a/{number}.jpg", picture(number))
    imported.run()
    before = imported.images()
    for each in before.values():
        imported.server.ask(UPDATE, id=each["id"])
    imported.server.ask(DELETE, ids=[before["3.jpg"]["id"]])
    kept = imported.images()
    assert {"0.jpg", "1.jpg", "2.jpg"} == set(kept)
    assert all(each["tags"] == ["mine"] for each in kept.values())

    (imported.folder / "a").rename(imported.folder / "b")
    assert "4 found: 0 indexed, 0 unchanged, 4 moved, copied or touched; 0 missing, 0 refused." in (
        imported.run()
    )
    assert kept == imported.images()

    for path in (imported.folder / "b").iterdir():
        instant = path.stat().st_mtime + HOUR_SECONDS
        os.utime(path, (instant, instant))
    imported.run()
    assert kept == imported.images()
    assert "4 found: 0 indexed, 4 unchanged" in imported.run()

    assert pixels(picture(0)) == pixels(rated(0))
    for number in (0, 3):
        imported.put(f"b/{number}.jpg", rated(number))
    (imported.folder / "b/1.jpg").rename(imported.folder / "b/swap")
    (imported.folder / "b/2.jpg").rename(imported.folder / "b/1.jpg")
    (imported.folder / "b/swap").rename(imported.folder / "b/2.jpg")
    imported.run()
    after = imported.images()
    assert kept["0.jpg"] | {"byteSize": len(rated(0))} == after["0.jpg"]
    assert kept["1.jpg"] | {"filename": "2.jpg"} == after["2.jpg"]
    assert kept["2.jpg"] | {"filename": "1.jpg"} == after["1.jpg"]
    assert {"0.jpg", "1.jpg", "2.jpg"} == set(after)
    read = imported.server.ask(
        "query ($id: ID!) { node(id: $id) { ... on Image { url } } }", id=after["0.jpg"]["id"]
    )
    original = f"{read['node']['url'].rpartition('/')[0]}/original"
    response = imported.server.http.get(original)
    assert rated(0) == response.content
    # The bytes of an original in place can change with its metadata.
    assert "immutable" not in response.headers["Cache-Control"]


def test_images_of_an_unmounted_disk_stay_and_those_of_lost_files_wait_in_the_trash(
    imported: ImportedFolder,
) -> None:
    for number, disk in enumerate(("one", "one", "two", "two")):
        imported.put(f"{disk}/{number}.jpg", picture(number))
    imported.run()
    before = imported.images()
    (imported.folder / "two").rename(imported.folder.parent / "unplugged")
    (imported.folder / "two").mkdir()
    assert "2 pictures are kept, although their folders are empty" in imported.run(status=1)
    assert before == imported.images()
    (imported.folder / "two").rmdir()
    missing = imported.run()
    assert "2 found: 0 indexed, 2 unchanged, 0 moved, copied or touched; 2 missing" in missing
    assert "2 pictures were moved into the trash, because their files are missing." in missing
    assert {"0.jpg", "1.jpg"} == set(imported.images())
    assert "No faults found." in imported.command("check", "--scrub")
    imported.command("sweep", trash_days=0)
    (imported.folder.parent / "unplugged").rename(imported.folder / "two")
    assert (
        "4 found: 0 indexed, 4 unchanged, 0 moved, copied or touched; 0 missing" in imported.run()
    )
    assert before == imported.images()
    (imported.folder / "one/0.jpg").unlink()
    imported.settings["import_grace_days"] = 0
    imported.run()
    assert {"1.jpg", "2.jpg", "3.jpg"} == set(imported.images())
