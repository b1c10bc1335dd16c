"""Captions, ratings and keywords in files, and the texts of Windows."""

from __future__ import annotations

import pytest

from domain.entities.images import Description
from domain.entities.tags import MAX_TAG_CHARACTERS
from infra.pillow.descriptions import read_description
from infra.pillow.exif import read_exif
from infra.pillow.imaging import PillowImaging
from infra.pillow.xmp import read_xmp
from tests.exif_blocks import some_exif
from tests.metadata import exif_metadata, image_resources, iptc, jpeg_with, metadata_of, xmp

KEYWORDS = (
    "<dc:subject><rdf:Bag><rdf:li>Segelboot</rdf:li><rdf:li> Toskana </rdf:li></rdf:Bag>"
    "</dc:subject>"
)
CAPTION = (
    '<dc:description><rdf:Alt><rdf:li xml:lang="en">A boat</rdf:li>'
    '<rdf:li xml:lang="x-default">Ein Boot</rdf:li></rdf:Alt></dc:description>'
)
BOTH = jpeg_with(
    packet=xmp('xmp:Rating="4"', KEYWORDS + CAPTION),
    resources=image_resources(iptc((25, "Größe".encode()), (25, b"Segelboot"), (120, b"Other"))),
)


def test_keywords_captions_and_ratings_are_read_from_xmp_and_iptc() -> None:
    expected = Description("Ein Boot", 4, ("Größe", "Segelboot", "Toskana"))
    assert expected == read_description(metadata_of(BOTH))


def test_iptc_alone_is_enough_also_in_latin_1() -> None:
    resources = image_resources(iptc((120, "Größe".encode("latin-1")), (25, b"sea"), (5, b"T")))
    found = read_description(metadata_of(jpeg_with(resources=resources)))
    assert found == Description("Größe", None, ("sea",))


def test_a_title_replaces_a_missing_caption() -> None:
    packet = xmp("", "<dc:title><rdf:Alt><rdf:li>Harbour</rdf:li></rdf:Alt></dc:title>")
    assert read_description(metadata_of(jpeg_with(packet=packet))).alt_text == "Harbour"


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ('xmp:Rating="3.0"', 3),
        ('xmp:Rating="0"', None),
        ('xmp:Rating="-1"', None),
        ('xmp:Rating="many"', None),
        ('MicrosoftPhoto:Rating="50"', 3),
        ('MicrosoftPhoto:Rating="75"', 4),
        ('MicrosoftPhoto:Rating="99"', 5),
        ('MicrosoftPhoto:Rating="1"', 1),
    ],
)
def test_ratings_of_other_scales_become_one_to_five(attribute: str, expected: int | None) -> None:
    found = read_description(metadata_of(jpeg_with(packet=xmp(attribute))))
    assert expected == found.rating


def test_keywords_that_cannot_be_tags_are_left_out() -> None:
    long = "x" * (MAX_TAG_CHARACTERS + 1)
    items = f"<rdf:li>{long}</rdf:li><rdf:li>sea</rdf:li><rdf:li>  </rdf:li>"
    packet = xmp("", f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>")
    assert read_description(metadata_of(jpeg_with(packet=packet))).tags == ("sea",)


async def test_a_setting_says_whether_descriptions_are_read() -> None:
    async with PillowImaging(workers=1) as imaging:
        assert (await imaging.decode(BOTH)).description.rating == 4
    async with PillowImaging(workers=1, with_descriptions=False) as imaging:
        assert (await imaging.decode(BOTH)).description == Description()


def test_a_packet_that_breaks_off_has_the_properties_before() -> None:
    packet = xmp('xmp:Rating="4"', KEYWORDS)
    assert read_xmp(packet[: packet.index(b"Toskana")]) == {
        "xmp:Rating": ("4",),
        "dc:subject": ("Segelboot",),
    }


def test_entities_and_document_types_are_not_read() -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    packet = xmp("", "<dc:title>&b;</dc:title>").decode()
    start = packet.index("<x:xmpmeta")
    assert read_xmp((packet[:start] + laughs + packet[start:]).encode()) == {}


def test_deep_and_long_packets_end_the_reading() -> None:
    assert read_xmp(xmp('xmp:Rating="4"', "<dc:title>" * 100_000)) == {"xmp:Rating": ("4",)}
    assert read_xmp(xmp("", "<dc:title>a</dc:title>" * 30_000)).keys() == {"dc:title"}


def test_the_texts_of_windows_are_utf_16() -> None:
    texts = {0x9C9B: "Sonnenuntergang", 0x9C9C: "Größe: 3 µm", 0x9C9E: "sea;sunset", 0x9C9F: "海"}
    main = [(tag, "B", f"{text}\0".encode("utf-16-le")) for tag, text in texts.items()]
    found = read_exif(exif_metadata(main))
    assert found
    assert found.all == {
        "XPTitle": "Sonnenuntergang",
        "XPComment": "Größe: 3 µm",
        "XPKeywords": "sea;sunset",
        "XPSubject": "海",
    }


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"ASCII\0\0\0A boat\0", "A boat"),
        (b"UNICODE\0" + "Größe 海".encode("utf-16-le"), "Größe 海"),
        (b"UNICODE\0" + "Größe 海".encode("utf-16-be"), "Größe 海"),
        (b"JIS\0\0\0\0\0" + "日本".encode("iso2022_jp"), "日本"),
        (bytes(8) + "Größe".encode(), "Größe"),
        ("Boote am See, Größe".encode(), "Boote am See, Größe"),
    ],
)
def test_comments_of_users_are_text_in_every_encoding(raw: bytes, expected: str) -> None:
    assert some_exif(photo=[(37510, "u", raw)]).all["UserComment"] == expected
