"""Collects what a picture file says about itself: EXIF, XMP, IPTC, and the texts of a PNG."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.pillow.iptc import IPTC_RESOURCE, iptc_of_resources, read_iptc
from infra.pillow.tiff_tags import read_tags
from infra.pillow.xmp import read_xmp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from infra.pillow.tiff_tags import TagValue

_TIFF_IPTC, _TIFF_RESOURCES = 33_723, 34_377


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a file, by the names of each standard."""

    tags: Mapping[str, TagValue] = field(default_factory=dict)
    """Of EXIF."""
    xmp: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    iptc: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of a PNG, by keyword."""


def read_metadata(image: Image.Image, tiff: bytes = b"") -> Metadata:
    """Read the metadata of a loaded picture: a PNG may store it behind the pixels.

    ``tiff`` is the file itself where its EXIF tags are those of a TIFF. Damaged parts are left out.
    """
    info = image.info
    texts = {str(name): text for name, text in info.items() if isinstance(text, str)}
    profiles = {kind: _raw_profile(texts, kind) for kind in ("exif", "APP1", "xmp", "iptc")}
    exif = _bytes(info.get("exif")) or profiles["exif"] or profiles["APP1"]
    xmp = _bytes(info.get("xmp")) or _bytes(info.get("XML:com.adobe.xmp")) or profiles["xmp"]
    return Metadata(
        tags=read_tags(tiff or exif),
        xmp=read_xmp(xmp),
        iptc=read_iptc(_iptc_block(image) or iptc_of_resources(profiles["iptc"])),
        texts=texts,
    )


def _iptc_block(image: Image.Image) -> bytes:
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        return _bytes(resources.get(IPTC_RESOURCE))
    tiff_tags = getattr(image, "tag_v2", {})
    return _bytes(tiff_tags.get(_TIFF_IPTC)) or iptc_of_resources(
        _bytes(tiff_tags.get(_TIFF_RESOURCES))
    )


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    return value if isinstance(value, bytes) else b""


def _raw_profile(texts: Mapping[str, str], kind: str) -> bytes:
    """Decode a profile of ImageMagick in a PNG text chunk: its name, a length, then hex."""
    lines = texts.get(f"Raw profile type {kind}", "").split("\n")
    try:
        return bytes.fromhex("".join(lines[3:]))
    except ValueError:
        return b""
