"""Which files an import passes over by their names."""

from __future__ import annotations

import pytest

from domain.entities.passed_over import PassedOver, passed_over_as

ROOT = "file:///photos/"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", None),
        ("a", None),
        ("a.psd", None),
        ("mp4", None),
        ("a.JPG.XMP", PassedOver.SIDECAR),
        ("IMG_1.AAE", PassedOver.SIDECAR),
        ("MVI_1.MOV", PassedOver.VIDEO),
        ("Thumbs.db", PassedOver.SYSTEM),
        (".DS_Store", PassedOver.SYSTEM),
        ("a/._b.jpg", PassedOver.SYSTEM),
        ("%40eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", PassedOver.SYSTEM),
        ("%23recycle/old.jpg", PassedOver.SYSTEM),
        ("%24RECYCLE.BIN/del.jpg", PassedOver.SYSTEM),
        ("a/System%20Volume%20Information/b.jpg", PassedOver.SYSTEM),
        ("P.photoslibrary/resources/derivatives/d.jpg", PassedOver.SYSTEM),
        ("a/P.photoslibrary/originals/d.jpg", None),
        ("Catalog%20Previews.lrdata/a.jpg", PassedOver.SYSTEM),
        ("notes.txt", PassedOver.OTHER),
    ],
)
def test_a_name_says_what_is_no_picture(name: str, kind: PassedOver | None) -> None:
    assert kind is passed_over_as(ROOT + name, root=ROOT)


def test_a_system_folder_that_is_itself_imported_gives_what_is_in_it() -> None:
    root = "file:///disk/lost%2Bfound/"
    assert passed_over_as(f"{root}a.jpg", root=root) is None
    assert PassedOver.SYSTEM is passed_over_as(f"{root}a.jpg", root="file:///disk/")
