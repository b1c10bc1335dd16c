"""Reads the properties of an XMP packet (ISO 16684-1), which is RDF in XML."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

# Only this parser is used, with its limits: a document type, and so any entity, ends the reading.
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
}
_MAX_PACKET_BYTES = 1 << 20
_MAX_ELEMENTS = 20_000
_MAX_DEPTH = 64
_MAX_VALUE_CHARACTERS = 4_096


def read_xmp(packet: bytes) -> Mapping[str, tuple[str, ...]]:
    """Return the texts of each property by its usual name, such as ``dc:subject``.

    A packet that breaks off has the properties before that. Values of structures are left out.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse_document_type
    with suppress(expat.ExpatError, _LimitExceeded, ValueError, LookupError):
        parser.Parse(packet[:_MAX_PACKET_BYTES].strip(b"\0 \t\r\n"), True)  # noqa: FBT003 - expat's
    return {name: tuple(values) for name, values in reader.properties.items()}


class _LimitExceeded(Exception):  # noqa: N818 - no fault of this program
    """A packet has a document type, or too many or too deep elements."""


class _Reader:
    """Collects the properties of the descriptions that are right below rdf:RDF."""

    def __init__(self) -> None:
        self.properties: defaultdict[str, list[str]] = defaultdict(list)
        self._open: list[str] = []
        self._element_count = 0
        self._property_depth = 0
        self._is_default = False
        self._text = ""

    def start(self, element: str, attributes: dict[str, str]) -> None:
        self._element_count += 1
        if self._element_count > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            raise _LimitExceeded
        if self._open[-1:] == [f"{_RDF}RDF"]:
            for attribute, value in attributes.items():
                self._add(attribute, value)
        elif self._open[-2:-1] == [f"{_RDF}RDF"]:
            self._property_depth = len(self._open)
        self._open.append(element)
        self._text = ""
        self._is_default = attributes.get(_LANGUAGE) == "x-default"

    def text(self, text: str) -> None:
        if len(self._text) < _MAX_VALUE_CHARACTERS:
            self._text += text

    def end(self, element: str) -> None:
        depth = len(self._open) - 1
        if self._property_depth:
            name = self._open[self._property_depth]
            is_item = depth == self._property_depth + 2 and element == f"{_RDF}li"
            if is_item or depth == self._property_depth:
                self._add(name, self._text)
            if depth == self._property_depth:
                self._property_depth = 0
        self._open.pop()
        self._text = ""
        self._is_default = False

    def refuse_document_type(self, *_: object) -> None:
        raise _LimitExceeded

    def _add(self, element: str, text: str) -> None:
        namespace, _, name = element.rpartition(" ")
        value = text.strip()[:_MAX_VALUE_CHARACTERS]
        if value and namespace in _PREFIXES:
            values = self.properties[f"{_PREFIXES[namespace]}:{name}"]
            # The default of alternatives by language is the one to show.
            values.insert(0 if self._is_default else len(values), value)
