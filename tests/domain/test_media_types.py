"""Media types as browsers announce them."""

import pytest

from domain.entities.media_types import UNKNOWN_TYPE, picture_type
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES


@pytest.mark.parametrize(
    ("announced", "filename", "expected"),
    [
        ("image/jpeg", "a.jpg", "image/jpeg"),
        (" IMAGE/JPEG ; charset=binary", "a", "image/jpeg"),
        ("image/jpg", "a.jpg", "image/jpeg"),
        ("image/pjpeg", "a.jpg", "image/jpeg"),
        ("image/heif", "a.HEIC", "image/heic"),
        ("image/heic-sequence", "a.heic", "image/heic"),
        ("image/x-png", "a.png", "image/png"),
        ("", "IMG_1.HEIC", "image/heic"),
        ("", "scan.TIF", "image/tiff"),
        ("application/octet-stream", "b.avif", "image/avif"),
        ("application/octet-stream", "camera roll", UNKNOWN_TYPE),
        ("", "notes.txt", UNKNOWN_TYPE),
        ("image/x-adobe-dng", "a.dng", "image/x-adobe-dng"),
        ("text/html", "a.jpg", None),
        ("video/mp4", "a.mp4", None),
        ("image/svg+xml", "a.svg", None),
    ],
)
def test_the_type_of_a_file_is_what_its_client_means(
    announced: str, filename: str, expected: str | None
) -> None:
    assert expected == picture_type(announced, filename, ACCEPTED_CONTENT_TYPES)


def test_a_format_that_is_not_accepted_is_not_derived_from_the_file_name() -> None:
    assert UNKNOWN_TYPE == picture_type("", "a.heic", ("image/png",))
