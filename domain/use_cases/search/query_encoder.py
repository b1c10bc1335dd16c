"""What a search asks for, and where that lies in the space of embeddings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.concurrency import AdmissionLimit
from domain.entities.embeddings import Query, QueryKind, QueryPart
from domain.entities.queries import ByBlend, ByImage, ByText, ByUpload
from domain.entities.text import check_text
from domain.entities.uploads import fingerprint
from domain.errors import ImageNotFound, InvalidArgument, blaming

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.queries import Term
    from domain.entities.uploads import Upload
    from domain.ports import (
        EmbeddingSpace,
        Encoder,
        Imaging,
        VectorIndex,
    )

MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class QueryEncoder:
    """Turns what is asked for into points of the space. Example pictures are not kept."""

    encoder: Encoder
    imaging: Imaging
    vectors: VectorIndex
    space: EmbeddingSpace
    max_bytes: int
    _room: AdmissionLimit = field(default_factory=AdmissionLimit)

    async def __call__(self, by: Term | ByBlend) -> tuple[str, Query]:
        """Return a digest of what is asked for, and the point to look around.

        Raises InvalidArgument, ImageNotFound, UploadRefusal or Overloaded.
        """
        if not isinstance(by, ByBlend):
            [(digest, part)] = await self._embed([("by", by)])
            return digest, Query(part.embedding, part.kind)
        read = await self._embed([(f"{name}.term", weighted.term) for name, weighted in by.terms])
        weights = [term.weight for term in by.like] + [-term.weight for term in by.unlike]
        parts = tuple(
            replace(part, weight=weight) for (_, part), weight in zip(read, weights, strict=True)
        )
        wanted = {part.kind for part in parts if part.weight > 0}
        # Texts lie apart from the pictures, and draw a blend after them.
        kind = QueryKind.TEXT if QueryKind.TEXT in wanted else QueryKind.IMAGE
        digest = _digest_of_blend(by, [digest for digest, _ in read])
        return digest, Query(await self.space.blend(parts), kind, parts)

    async def digest(self, by: Term | ByBlend) -> str:
        """Return what tells questions apart, the same for the same text, file, id or blend."""
        if isinstance(by, ByBlend):
            return _digest_of_blend(
                by,
                [await self._digest(weighted.term, f"{name}.term") for name, weighted in by.terms],
            )
        return await self._digest(by, "by")

    async def _digest(self, term: Term, argument: str) -> str:
        if isinstance(term, ByText):
            return _digest("text", _checked(f"{argument}.text", term.text))
        if isinstance(term, ByImage):
            return _digest("image", str(term.image_id))
        with blaming(f"{argument}.image"):
            async with self._room:
                data = await term.upload.bytes_within(self.max_bytes)
                return _digest("picture", await fingerprint(data))

    async def _embed(self, terms: Sequence[tuple[str, Term]]) -> list[tuple[str, QueryPart]]:
        """Return each term's digest and its embedding; the name of its argument stands beside it.

        All texts are encoded at once, and all images of the library are looked up at once.
        """
        texts = {
            name: _checked(f"{name}.text", term.text)
            for name, term in terms
            if isinstance(term, ByText)
        }
        known = await self._known(
            {f"{name}.imageId": term.image_id for name, term in terms if isinstance(term, ByImage)}
        )
        encoded = await self.encoder.encode_texts(list(texts.values())) if texts else []
        read = dict(zip(texts, encoded, strict=True))
        parts: list[tuple[str, QueryPart]] = []
        for name, term in terms:
            if isinstance(term, ByUpload):
                with blaming(f"{name}.image"):
                    digest, embedding = await self._example(term.upload)
                parts.append((digest, QueryPart(embedding, QueryKind.IMAGE)))
            elif isinstance(term, ByImage):
                part = QueryPart(known[term.image_id], QueryKind.IMAGE)
                parts.append((await self._digest(term, name), part))
            else:
                parts.append(
                    (await self._digest(term, name), QueryPart(read[name], QueryKind.TEXT))
                )
        return parts

    async def _known(self, ids: Mapping[str, UUID]) -> dict[UUID, Embedding]:
        """Return the embeddings of images; the name of its argument stands before each."""
        embeddings = await self.vectors.embeddings(list(ids.values())) if ids else {}
        for argument, image_id in ids.items():
            with blaming(argument):
                if image_id not in embeddings:
                    raise ImageNotFound(
                        "There is no such image that can be searched by; it may have been deleted."
                    )
        return embeddings

    async def _example(self, example: Upload) -> tuple[str, Embedding]:
        async with self._room:
            data = await example.bytes_within(self.max_bytes)
            digest = _digest("picture", await fingerprint(data))
            pixels = await self.imaging.decode_pixels(data)
        [embedding] = await self.encoder.encode_images([pixels])
        return digest, embedding


def _digest_of_blend(by: ByBlend, digests: Sequence[str]) -> str:
    weights = [f"{name} {weighted.weight!r}" for name, weighted in by.terms]
    return _digest("blend", *weights, *digests)


def _checked(argument: str, text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned:
        raise InvalidArgument(argument, "The text is blank; say in words what to look for.")
    if len(cleaned) > MAX_TEXT:
        raise InvalidArgument(
            argument, f"The text has {len(cleaned):,} characters; at most {MAX_TEXT:,} are read."
        )
    check_text(argument, "The text", text=cleaned)
    return cleaned


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
