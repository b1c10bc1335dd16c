"""Finding images by what they show."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.embeddings import Query, QueryKind
from domain.errors import ImageNotFound, InvalidArgument, SearchExpired
from domain.filters import EVERYTHING, ImageFilter
from domain.images import uuid7
from domain.searches import (
    DEPTH,
    LIFETIME,
    ByImage,
    ByPicture,
    BySearch,
    ByText,
    Found,
    KeptSearch,
    SearchBy,
    SearchCursor,
    SearchPage,
    check_page_size,
)
from domain.text import check_text
from domain.uploads import Room, fingerprint

if TYPE_CHECKING:
    from uuid import UUID

    from domain.images import Pixels
    from domain.ports import Catalog, Clock, Encoder, Imaging, Searches
    from domain.uploads import Upload

MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class SearchImages:
    """Find the images that are nearest to a text, an example or an image, the best first.

    What a search finds is kept for an hour, up to 1,000 hits, and its pages are cut from that:
    nothing repeats or is skipped while images come and go, and deleted ones drop out.
    """

    encoder: Encoder
    imaging: Imaging
    catalog: Catalog
    searches: Searches
    clock: Clock
    max_bytes: int
    _room: Room = field(default_factory=Room)

    async def __call__(
        self,
        by: SearchBy,
        *,
        criteria: ImageFilter = EVERYTHING,
        exact: bool = False,
        first: int = 20,
        after: SearchCursor | None = None,
    ) -> SearchPage:
        """Return the page of ``first`` hits behind ``after``.

        Raises InvalidArgument, ImageNotFound, SearchExpired, UploadRefusal or Overloaded.
        """
        check_page_size("first", first)
        conditions = _digest(repr(criteria), repr(exact))
        if after is None:
            search = await self._ask(by, criteria, exact=exact, conditions=conditions)
            return await self._page(search, first=first, rank=0)
        search = await self._recall(after.search_id)
        if not 0 <= after.rank <= len(search.hits):
            raise InvalidArgument("after", "The cursor is made up; take one from a page.")
        if search.conditions != conditions or not await self._asks(by, search):
            raise InvalidArgument(
                "after", "The cursor belongs to another search; repeat that one, or leave it out."
            )
        return await self._page(search, first=first, rank=after.rank)

    async def _ask(
        self, by: SearchBy, criteria: ImageFilter, *, exact: bool, conditions: str
    ) -> KeptSearch:
        if isinstance(by, BySearch):
            kept = await self._recall(by.search_id)
            if kept.conditions == conditions:
                return kept
            question, query = kept.question, kept.query
        else:
            question, query = await self._embed(by)
        ranking = await self.catalog.search(query, criteria, limit=DEPTH, exact=exact)
        search = KeptSearch(
            id=uuid7(),
            created_at=self.clock(),
            model=self.encoder.model.name,
            query=query,
            question=question,
            conditions=conditions,
            hits=ranking.hits,
            exact=ranking.exact,
        )
        await self.searches.keep(search)
        return search

    async def _embed(self, by: ByText | ByPicture | ByImage) -> tuple[str, Query]:
        """Return a digest of the question, and the point to look around."""
        if isinstance(by, ByText):
            text = _checked(by.text)
            [embedding] = await self.encoder.encode_texts([text])
            return _question(by), Query(embedding, QueryKind.TEXT)
        if isinstance(by, ByPicture):
            question, pixels = await self._look_at(by.upload)
            [embedding] = await self.encoder.encode_images([pixels])
            return question, Query(embedding, QueryKind.IMAGE)
        known = await self.catalog.embeddings([by.image_id])
        if by.image_id not in known:
            raise ImageNotFound(f"There is no image {by.image_id} that can be searched by.")
        return _question(by), Query(known[by.image_id], QueryKind.IMAGE)

    async def _look_at(self, example: Upload) -> tuple[str, Pixels]:
        async with self._room:
            data = await example.bytes_within(self.max_bytes)
            return _digest("picture", await fingerprint(data)), await self.imaging.decode(data)

    async def _asks(self, by: SearchBy, search: KeptSearch) -> bool:
        """Tell whether ``by`` is the question that ``search`` answered."""
        if isinstance(by, BySearch):
            if by.search_id == search.id:
                return True
            return (await self._recall(by.search_id)).question == search.question
        if isinstance(by, ByPicture):
            async with self._room:
                data = await by.upload.bytes_within(self.max_bytes)
                return _digest("picture", await fingerprint(data)) == search.question
        return _question(by) == search.question

    async def _recall(self, search_id: UUID) -> KeptSearch:
        search = await self.searches.recall(search_id, since=self.clock() - LIFETIME)
        if search.model != self.encoder.model.name:
            raise SearchExpired("The search was made with another model; search again.")
        return search

    async def _page(self, search: KeptSearch, *, first: int, rank: int) -> SearchPage:
        found: list[Found] = []
        behind, stretch = rank, first + 1
        # One more than the page shows whether there is a next one.
        while len(found) <= first and behind < len(search.hits):
            hits = search.hits[behind : behind + stretch]
            images = await self.catalog.get([hit.image_id for hit in hits])
            found += [
                Found(images[hit.image_id], hit.score, SearchCursor(search.id, place))
                for place, hit in enumerate(hits, behind + 1)
                if hit.image_id in images
            ]
            # Twice as far each time: few steps, also where nearly everything was deleted.
            behind, stretch = behind + stretch, 2 * stretch
        return SearchPage(
            search_id=search.id,
            found=tuple(found[:first]),
            has_next=len(found) > first,
            has_previous=rank > 0,
            exact=search.exact,
        )


def _checked(text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned:
        raise InvalidArgument("by.text", "The text is blank; say in words what to look for.")
    if len(cleaned) > MAX_TEXT:
        raise InvalidArgument(
            "by.text", f"The text has {len(cleaned):,} characters; at most {MAX_TEXT:,} are read."
        )
    check_text("by.text", "The text", text=cleaned)
    return cleaned


def _question(by: ByText | ByImage) -> str:
    if isinstance(by, ByText):
        return _digest("text", _checked(by.text))
    return _digest("image", str(by.image_id))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
