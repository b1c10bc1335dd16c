"""Makes pictures with metadata of every kind: EXIF, XMP, IPTC, and texts of PNG."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

from infra.pillow.metadata import Metadata, read_metadata
from infra.pillow.tiff_tags import read_tags
from tests.exif_blocks import block
from tests.pictures import encoded, flag

if TYPE_CHECKING:
    from tests.exif_blocks import Tag

RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" {attributes}>{elements}'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def xmp(attributes: str = "", elements: str = "") -> bytes:
    """Return an XMP packet with properties as attributes and as elements."""
    text = RDF.replace("{attributes}", attributes).replace("{elements}", elements)
    return f'<?xpacket begin="\ufeff" id="W5M0"?>{text}<?xpacket end="w"?>'.encode()


def iptc(*datasets: tuple[int, bytes]) -> bytes:
    """Return an IPTC block of datasets of record 2."""
    return b"".join(
        struct.pack(">BBBH", 0x1C, 2, kind, len(value)) + value for kind, value in datasets
    )


def image_resources(block_of_iptc: bytes) -> bytes:
    """Return Photoshop's image resources with an IPTC block behind another resource."""
    return b"".join(
        b"8BIM"
        + struct.pack(">H", kind)
        + b"\0\0"
        + struct.pack(">I", len(data))
        + data
        + b"\0" * (len(data) % 2)
        for kind, data in ((0x0425, b"abc"), (0x0404, block_of_iptc))
    )


def jpeg_with(*, exif: bytes = b"", packet: bytes = b"", resources: bytes = b"") -> bytes:
    """Return a JPEG with metadata."""
    data = encoded(flag(), "JPEG", **({"exif": exif} if exif else {}))
    segments = b""
    if packet:
        segments += _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    if resources:
        segments += _segment(0xED, b"Photoshop 3.0\0" + resources)
    return data[:2] + segments + data[2:]


def png_with(**texts: str) -> bytes:
    """Return a PNG with text chunks; an underscore in a keyword stands for a space."""
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword.replace("_", " "), text)
    file = io.BytesIO()
    flag().save(file, "PNG", pnginfo=info)
    return file.getvalue()


def metadata_of(data: bytes) -> Metadata:
    """Read the metadata of a file."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return read_metadata(image)


def exif_metadata(
    main: list[Tag] | None = None, photo: list[Tag] | None = None, gps: list[Tag] | None = None
) -> Metadata:
    """Return the metadata of EXIF tags."""
    return Metadata(read_tags(block(main or [], {0x8769: photo or [], 0x8825: gps or []})))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
