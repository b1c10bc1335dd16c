"""Twenty-seven real photos: in by both ways, found by every way, upright, gone without trace."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.e2e.process import pictograph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.process import Server

DATA = Path(__file__).parents[3] / "shared" / "data"
PHOTOS = sorted([*DATA.glob("orientation/*.jpg"), *DATA.glob("gps/*.jpg")])
pytestmark = pytest.mark.skipif(
    len(PHOTOS) != 27, reason=f"the 27 real photos are not in {DATA}: a clone does not bring them"
)
PAGE = "nodes { id filename width height tags exif { takenAt cameraModel location { latitude } } }"


@pytest.fixture(scope="module", params=["import", "multipart"])
def library(
    request: pytest.FixtureRequest,
    server: Server,
    shared_settings: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server with the photos in it, taken in by a command beside it or by mutations."""
    if request.param == "import":
        folder = tmp_path_factory.mktemp("photos")
        for photo in PHOTOS:
            shutil.copy(photo, folder)
        done = pictograph("import", str(folder), "--tag", "photo", settings=shared_settings)
        assert (
            "27 found: 27 indexed, 0 unchanged, 0 moved, copied or touched; 0 missing, 0 refused."
            in done.stdout
        ), done.stderr
        again = pictograph("import", str(folder), settings=shared_settings)
        assert (
            "27 found: 0 indexed, 27 unchanged, 0 moved, copied or touched; 0 missing, 0 refused."
            in again.stdout
        )
    else:
        for batch in (PHOTOS[:14], PHOTOS[14:]):
            files = {photo.name: photo.read_bytes() for photo in batch}
            assert [] == server.upload(files, tags=["photo"])["userErrors"]
    yield server
    assert _delete_all(server) == 27
    kept = Path(str(shared_settings["data_dir"])) / "files"
    assert [] == [path for path in kept.glob("*/*/*") if path.is_file()]


def _delete_all(server: Server) -> int:
    ids = [node["id"] for node in _list(server, "{}")]
    gone = server.ask(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }", ids=ids
    )
    assert [] == _list(server, "{}")
    found = server.ask('{ searchImages(by: {text: "anything"}) { nodes { id } } }')
    assert found == {"searchImages": {"nodes": []}}
    return len(gone["deleteImages"]["deletedImageIds"])


def _list(server: Server, criteria: str) -> list[dict[str, object]]:
    query = f"{{ images(first: 100, filter: {criteria}) {{ {PAGE} }} }}"
    nodes: list[dict[str, object]] = server.ask(query)["images"]["nodes"]
    return nodes


def _names(server: Server, criteria: str) -> set[object]:
    return {node["filename"] for node in _list(server, criteria)}


def test_all_photos_come_back_by_text(library: Server) -> None:
    found = library.ask(
        '{ searchImages(by: {text: "a street"}, first: 100) { nodes { filename } } }'
    )
    names = sorted(node["filename"] for node in found["searchImages"]["nodes"])
    assert names == sorted(photo.name for photo in PHOTOS)


def test_each_photo_comes_back_first_by_itself_as_an_example(library: Server) -> None:
    for photo in PHOTOS[::4]:
        found = library.multipart(
            {
                "query": "query ($image: Upload!) { searchImages(by: {image: $image}, first: 2)"
                " { edges { score node { filename } } } }",
                "variables": {"image": None},
            },
            "variables.image",
            {"example": photo.read_bytes()},
        )["searchImages"]["edges"]
        assert found[0]["score"] > 0.999
        assert photo.name in {edge["node"]["filename"] for edge in found}


def test_likeness_finds_the_same_scene_and_never_the_photo_itself(library: Server) -> None:
    [landscape] = [node for node in _list(library, "{}") if node["filename"] == "Landscape_3.jpg"]
    found = library.ask(
        "query ($id: ID!) { image(id: $id) { similarImages(first: 8) { nodes { id filename } } } }",
        id=landscape["id"],
    )["image"]["similarImages"]["nodes"]
    assert landscape["id"] not in {node["id"] for node in found}
    assert {f"Landscape_{case}.jpg" for case in range(9) if case != 3} == {
        node["filename"] for node in found
    }


def test_photos_come_back_by_where_when_and_with_what_they_were_taken(library: Server) -> None:
    with_gps = {photo.name for photo in PHOTOS if photo.parent.name == "gps"}
    arezzo = "near: {latitude: 43.4674, longitude: 11.8851, radiusKm: 2}"
    assert with_gps == _names(library, f"{{{arezzo}}}")
    elsewhere = "near: {latitude: 43.4674, longitude: 12.8851, radiusKm: 2}"
    assert set() == _names(library, f"{{{elsewhere}}}")
    assert with_gps == _names(library, "{hasLocation: true}")
    october = 'takenAt: {gte: "2008-10-22T00:00:00Z", lt: "2008-10-23T00:00:00Z"}'
    assert with_gps == _names(library, f"{{{october}}}")
    assert with_gps == _names(library, '{cameraModelIn: ["COOLPIX P6000"]}')
    assert 27 == len(_list(library, '{tagsAll: ["photo"]}'))


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_every_orientation_is_served_upright(library: Server, kind: str) -> None:
    photos = library.ask(
        "{ images(first: 100, sort: {field: FILENAME, direction: ASC}) { nodes"
        " { filename width height small: url(variant: THUMBNAIL) large: url(variant: LARGE) } } }"
    )["images"]["nodes"]
    cases = [photo for photo in photos if photo["filename"].startswith(kind)]
    assert 9 == len(cases)
    assert 1 == len({(case["width"], case["height"]) for case in cases})
    wide = cases[0]["width"] > cases[0]["height"]
    assert wide is (kind == "Landscape")
    for variant in ("small", "large"):
        served = [_picture(library, case[variant]) for case in cases]
        assert 1 == len({picture.size for picture in served})
        for picture in served[1:]:
            difference = ImageChops.difference(served[0], picture)
            assert max(ImageStat.Stat(difference).mean) < 6


def _picture(server: Server, url: str) -> Image.Image:
    answer = server.http.get(url)
    assert "image/webp" == answer.headers["content-type"]
    return Image.open(io.BytesIO(answer.content)).convert("RGB")
