"""Encodes queries: texts, example pictures, images of the library, and blends of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.concurrency import MAX_EXAMPLES_WAITING, AdmissionLimit
from domain.entities.embeddings import Query, QueryKind, QueryPart
from domain.entities.queries import ByBlend, ByImage, ByText, ByUpload, located_terms
from domain.entities.text import check_text
from domain.entities.uploads import sha256_of
from domain.errors import ImageNotFound, InvalidArgument, locating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.queries import Term
    from domain.entities.uploads import Upload
    from domain.errors import Location
    from domain.ports import EmbeddingSpace, Encoder, Imaging, VectorIndex

MAX_QUERY_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class QueryEncoder:
    """Embeds queries. Example pictures are not kept."""

    encoder: Encoder
    imaging: Imaging
    vectors: VectorIndex
    space: EmbeddingSpace
    max_bytes: int
    _admission: AdmissionLimit = field(
        default_factory=lambda: AdmissionLimit(max_waiting=MAX_EXAMPLES_WAITING)
    )

    async def __call__(self, by: Term | ByBlend) -> tuple[str, Query]:
        """Return the digest of a query and its embedding.

        Raises InvalidArgument, ImageNotFound, UploadRefusal or Overloaded.
        """
        encoded = await self._encode(list(located_terms(by)))
        if not isinstance(by, ByBlend):
            [(digest, part)] = encoded
            return digest, Query(part.embedding, part.kind, sha256=part.sha256)
        weights = [term.weight for term in by.like] + [-term.weight for term in by.unlike]
        parts = tuple(
            replace(part, weight=weight) for (_, part), weight in zip(encoded, weights, strict=True)
        )
        kinds = {part.kind for part in parts if part.weight > 0}
        # Texts are embedded apart from pictures, and one of them moves a blend away from these.
        kind = QueryKind.TEXT if QueryKind.TEXT in kinds else QueryKind.IMAGE
        digest = _digest_of_blend(by, [digest for digest, _ in encoded])
        return digest, Query(await self.space.blend(parts), kind, parts)

    async def digest(self, by: Term | ByBlend) -> str:
        """Return what tells queries apart: equal for equal texts, files, ids and blends."""
        digests = [await self._digest(term, location) for location, term in located_terms(by)]
        return _digest_of_blend(by, digests) if isinstance(by, ByBlend) else digests[0]

    async def _digest(self, term: Term, location: Location) -> str:
        if isinstance(term, ByText):
            return _digest("text", _checked(term.text, (*location, "text")))
        if isinstance(term, ByImage):
            return _digest("image", str(term.image_id))
        with locating(*location, "image"):
            async with self._admission:
                data = await term.upload.bytes_within(self.max_bytes)
                return _digest("picture", await sha256_of(data))

    async def _encode(self, terms: Sequence[tuple[Location, Term]]) -> list[tuple[str, QueryPart]]:
        """Return the digest and the embedding of each term.

        All texts are encoded in one batch, and all images are looked up by one query.
        """
        texts = {
            location: _checked(term.text, (*location, "text"))
            for location, term in terms
            if isinstance(term, ByText)
        }
        stored = await self._stored(
            {
                (*location, "image_id"): term.image_id
                for location, term in terms
                if isinstance(term, ByImage)
            }
        )
        encoded = await self.encoder.encode_texts(list(texts.values())) if texts else []
        by_location = dict(zip(texts, encoded, strict=True))
        parts: list[tuple[str, QueryPart]] = []
        for location, term in terms:
            if isinstance(term, ByUpload):
                with locating(*location, "image"):
                    part = await self._example(term.upload)
                parts.append((_digest("picture", part.sha256 or ""), part))
                continue
            digest = await self._digest(term, location)
            if isinstance(term, ByImage):
                parts.append((digest, QueryPart(stored[term.image_id], QueryKind.IMAGE)))
            else:
                parts.append((digest, QueryPart(by_location[location], QueryKind.TEXT)))
        return parts

    async def _stored(self, ids: Mapping[Location, UUID]) -> dict[UUID, Embedding]:
        """Return the embeddings of images. Raises ImageNotFound with the location of an id."""
        embeddings = await self.vectors.embeddings(list(ids.values())) if ids else {}
        for location, image_id in ids.items():
            with locating(*location):
                if image_id not in embeddings:
                    raise ImageNotFound(
                        "There is no such image that can be searched by; it may have been deleted."
                    )
        return embeddings

    async def _example(self, example: Upload) -> QueryPart:
        async with self._admission:
            data = await example.bytes_within(self.max_bytes)
            sha256 = await sha256_of(data)
            pixels = await self.imaging.decode_pixels(data)
        [embedding] = await self.encoder.encode_images([pixels])
        return QueryPart(embedding, QueryKind.IMAGE, sha256=sha256)


def _digest_of_blend(by: ByBlend, digests: Sequence[str]) -> str:
    weights = [f"{side} {term.weight!r}" for side, _, term in by.terms()]
    return _digest("blend", *weights, *digests)


def _checked(text: str, location: Location) -> str:
    cleaned = " ".join(text.split())
    if not cleaned:
        raise InvalidArgument(location, "The text is blank; say in words what to look for.")
    if len(cleaned) > MAX_QUERY_CHARACTERS:
        raise InvalidArgument(
            location,
            f"The text has {len(cleaned):,} characters; at most {MAX_QUERY_CHARACTERS:,} are read.",
        )
    check_text(location, "The text", text=cleaned)
    return cleaned


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
