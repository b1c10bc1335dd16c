"""Importing folders and buckets where they lie, by the real commands."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from infra.s3.client import S3Client
from tests.e2e.leases import expire_leases
from tests.e2e.pictures import picture
from tests.e2e.process import COMMAND, KEY, Server, environment, pictograph, typed_url
from tests.s3_server import ACCESS_KEY as S3_KEY
from tests.s3_server import create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx

PAGE = "{ images(first: 100) { totalCount nodes { id filename tags byteSize url } } }"
SEARCH = '{ searchImages(by: {text: "anything"}, first: 100) { nodes { filename } } }'


class Place(Protocol):
    """A folder or a bucket, as a user names it, and what is done there."""

    name: str
    settings: dict[str, object]

    def put(self, files: Mapping[str, bytes]) -> None: ...

    def remove(self, name: str) -> None: ...


class Folder(Place):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)
        self.settings: dict[str, object] = {}

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()


class Bucket(Place):
    def __init__(self, url: str) -> None:
        self.bucket = create_bucket(url)
        self.name = f"s3://{self.bucket}/holiday"
        self.url = url
        self.settings: dict[str, object] = {
            "s3_endpoint_url": url,
            "s3_access_key_id": S3_KEY,
            "s3_secret_access_key": S3_KEY,
        }

    def put(self, files: Mapping[str, bytes]) -> None:
        self._do("put_object", [{"Key": self._key(name), "Body": files[name]} for name in files])

    def remove(self, name: str) -> None:
        self._do("delete_object", [{"Key": self._key(name)}])

    def _key(self, name: str) -> str:
        return f"holiday/{name}"

    def _do(self, what: str, each: Sequence[Mapping[str, object]]) -> None:
        async def do() -> None:
            async with S3Client.connect(
                endpoint_url=self.url,
                region="us-east-1",
                access_key_id=S3_KEY,
                secret_access_key=S3_KEY,
            ) as client:
                for arguments in each:
                    await getattr(client.client, what)(Bucket=self.bucket, **arguments)

        asyncio.run(do())


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, s3_url: str, tmp_path: Path) -> Place:
    return Folder(tmp_path / "holiday") if request.param == "folder" else Bucket(s3_url)


@pytest.fixture
def embedded(place: Place, model: Path, tmp_path: Path) -> dict[str, object]:
    """The settings of a library of the test's own, with an embedded PostgreSQL."""
    return {"model": model, "data_dir": tmp_path / "data", **place.settings}


@pytest.fixture
def own(embedded: dict[str, object], postgres_url: str) -> dict[str, object]:
    """The same in a database of the server that the tests share: it need not be started."""
    return embedded | {"database_url": typed_url(postgres_url)}


def names(server: Server) -> set[str]:
    nodes = server.ask(PAGE)["images"]["nodes"]
    found = server.ask(SEARCH)["searchImages"]["nodes"]
    assert {node["filename"] for node in nodes} == {node["filename"] for node in found}
    return {node["filename"] for node in nodes}


def said(arguments: tuple[str, ...], settings: Mapping[str, object], *, status: int = 0) -> str:
    done = pictograph("import", *arguments, settings=settings)
    assert "Traceback" not in done.stderr
    assert status == done.returncode, done.stderr + done.stdout
    return done.stdout + done.stderr


def test_a_folder_or_bucket_is_imported_and_its_changes_are_reconciled(
    place: Place, own: dict[str, object], tmp_path: Path
) -> None:
    photos = {f"day {number % 2}/{number}.jpg": picture(number) for number in range(4)}
    place.put({**photos, "broken.jpg": b"not a picture", "notes.txt": b"a text"})

    dry = said((place.name, "--dry-run"), own)
    assert "5 found: 5 new, 0 changed, 0 unfinished, 0 unchanged, 0 gone" in dry
    assert re.search(r"5 to index \(.* kB\), about \d+:\d\d:\d\d at .* pictures/s", dry)
    first = said((place.name, "--tag", "sea"), own, status=1)
    assert (
        "5 found: 4 indexed, 0 unchanged, 0 moved, copied or touched; 0 missing, 1 refused."
        in first
    )
    assert "Passed over, since they are no pictures: other files 1." in first
    assert f"{place.name}/broken.jpg" in first
    assert "not in a supported" in first
    again = said((place.name,), own)
    assert "Refused by an earlier import, and unchanged since: 1." in again
    assert "broken.jpg" not in again
    assert not [path for path in tmp_path.rglob("original") if path.is_file()]

    place.remove("broken.jpg")
    place.remove("day 1/1.jpg")
    place.put({"day 0/2.jpg": picture(12), "new/5.jpg": picture(5)})
    second = said((place.name,), own)
    # The removed 1.jpg, and the picture that was in 2.jpg before.
    assert "2 indexed, 2 unchanged, 0 moved, copied or touched; 2 missing, 0 refused." in second
    assert "2 pictures were moved into the trash, because their files are missing." in second
    own["import_grace_days"] = 0
    assert "2 pictures were missing for too long, and were forgotten." in said((place.name,), own)

    with Server.in_thread(own | {"api_key": KEY}) as server:
        assert {"0.jpg", "2.jpg", "3.jpg", "5.jpg"} == names(server)
        images = {each["filename"]: each for each in server.ask(PAGE)["images"]["nodes"]}
        assert ["sea"] == images["0.jpg"]["tags"]
        assert picture(12) == original(server, images["2.jpg"]).content
        part = original(server, images["2.jpg"], headers={"Range": "bytes=2-9"})
        assert (206, picture(12)[2:10]) == (part.status_code, part.content)

        place.put({"day 0/2.jpg": picture(13)})
        gone = original(server, images["2.jpg"])
        assert (404, True) == (
            gone.status_code,
            "is missing at its source, or has changed there; import it again." in gone.text,
        )
        url = images["2.jpg"]["url"]
        assert 200 == server.http.get(f"{url.rpartition('/')[0]}/thumbnail").status_code
        delete = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"
        server.ask(delete, ids=[images["0.jpg"]["id"]])
        deleted = said((place.name,), own)
        assert (
            "1 indexed, 3 unchanged, 0 moved, copied or touched; 0 missing, 0 refused." in deleted
        )
        assert {"2.jpg", "3.jpg", "5.jpg"} == names(server)


def original(server: Server, image: Mapping[str, Any], **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
    url = image["url"]
    return server.http.get(f"{url.rpartition('/')[0]}/original", **options)


def test_an_import_that_is_killed_goes_on_and_ends_with_the_right_set(
    place: Place, embedded: dict[str, object]
) -> None:
    # Enough to be killed among: three times those that are seen to be done.
    count = 36
    place.put({f"{number:02}.jpg": picture(number) for number in range(count)})
    process = subprocess.Popen(
        [*COMMAND, "import", place.name],
        env=environment(embedded),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    renditions = embedded["data_dir"] / "files"  # type: ignore[operator]  # it is a path
    while len(list(renditions.rglob("thumbnail"))) < 12:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert -signal.SIGKILL == process.wait()
    expire_leases(embedded)

    done = said((place.name,), embedded)
    [indexed, unchanged] = re.findall(r"36 found: (\d+) indexed, (\d+) unchanged", done)[0]
    assert count == int(indexed) + int(unchanged)
    with Server.in_thread(embedded | {"api_key": KEY}) as server:
        assert {f"{number:02}.jpg" for number in range(count)} == names(server)
        assert count == server.ask(PAGE)["images"]["totalCount"]


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_a_folder_as_it_is_on_a_disk_ends_well_and_a_file_is_imported_as_a_file(
    place: Place, own: dict[str, object], tmp_path: Path
) -> None:
    place.put({"a.jpg": picture(1), "b.jpg": picture(1), "a.xmp": b"<x/>", "Thumbs.db": b"x"})
    place.put({"@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg": picture(2), "$RECYCLE.BIN/c.jpg": picture(3)})
    done = said((place.name,), own)
    assert "2 found: 1 indexed, 0 unchanged, 1 moved, copied or touched" in done
    assert "Duplicates of pictures that the library has already: 1." in done
    assert "Passed over, since they are no pictures: system files 3, sidecars 1." in done

    (tmp_path / "one.jpg").write_bytes(picture(4))
    assert "1 found: 1 indexed" in said((str(tmp_path / "one.jpg"),), own)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    refused = said((str(tmp_path / "broken.jpg"),), own, status=1)
    assert str(tmp_path / "broken.jpg") in refused
    (tmp_path / "empty").mkdir()
    assert f"There is no picture in {tmp_path / 'empty'}." in said((str(tmp_path / "empty"),), own)


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_a_manifest_names_what_is_imported(
    place: Place, own: dict[str, object], tmp_path: Path
) -> None:
    place.put({f"{number}.jpg": picture(number) for number in range(4)})
    bare, rows = tmp_path / "bare.txt", tmp_path / "rows.jsonl"
    bare.write_text(f"{place.name}/0.jpg\n\n{place.name}/nowhere.jpg\n")
    first = said(("--manifest", str(bare)), own, status=1)
    assert (
        "1 found: 1 indexed, 0 unchanged, 0 moved, copied or touched; 0 missing, 1 refused."
        in first
    )
    assert "No readable object is at this" in first
    rows.write_text("\n".join(json.dumps({"location": f"{place.name}/{n}.jpg"}) for n in (0, 2)))
    second = said(("--manifest", str(rows)), own)
    assert (
        "2 found: 1 indexed, 1 unchanged, 0 moved, copied or touched; 0 missing, 0 refused."
        in second
    )


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_a_single_object_of_a_bucket_is_imported(place: Place, own: dict[str, object]) -> None:
    place.put({"0.jpg": picture(0), "1.jpg": picture(1), "0.jpg.copy/2.jpg": picture(2)})
    assert "1 found: 1 indexed" in said((f"{place.name}/0.jpg",), own)
    assert "2 found: 1 indexed, 1 unchanged" in said((place.name, "--exclude", "2.*"), own)


def test_an_invalid_import_is_refused_in_one_sentence(
    s3_url: str, model: Path, tmp_path: Path
) -> None:
    bucket = Bucket(s3_url)
    settings = bucket.settings | {
        "model": model,
        "data_dir": tmp_path / "data",
        "s3_bucket": bucket.bucket,
    }
    (tmp_path / "data" / "files" / "ab").mkdir(parents=True)
    for arguments, sentence in {
        (): "Name what to import: a folder, s3://bucket/prefix, or --manifest FILE.",
        ("/no/such/folder",): "There is no folder /no/such/folder; check how it is spelled.",
        ("http://x/y",): "http://x/y is no folder and no bucket: write s3://bucket/prefix.",
        ("s3://",): "s3:// names no bucket: write s3://bucket/prefix.",
        ("s3://nowhere",): "There is no bucket 'nowhere' in the store at",
        (bucket.name,): "is where Pictograph keeps its own files",
        (str(tmp_path / "data" / "files" / "ab"),): "is where Pictograph keeps its own files",
        ("s3://b", "--copy"): "Only a folder or a file can be copied",
        ("--manifest", "/no/such/file"): "The manifest /no/such/file cannot be read: no such file",
    }.items():
        refused = said(arguments, settings, status=1)
        assert sentence in refused.replace("\n", " ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused_with_the_reason(
    model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(picture(1))
    (folder / "1.jpg").chmod(0)
    own = {"model": model, "data_dir": tmp_path / "data"}
    assert "permission denied" in said((str(folder),), own, status=1)
