"""A live search: images that match, as they become READY."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from domain.concurrency import Retry
from domain.entities.embeddings import Hit
from domain.entities.images import ImageStatus
from domain.entities.models import ModelState
from domain.errors import SearchExpired

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import datetime

    from domain.entities.embeddings import Query
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy, SearchOptions
    from domain.ports import Clock, Events, KnownModels, ReadyFeed
    from domain.use_cases.search.search_images import SearchImages

PORTION = 500
"""How many images are judged at once."""

OVERLAP = timedelta(seconds=30)
"""How far behind the last news a look for what was missed goes: a transaction may take as long."""

REMEMBERED = 10_000
"""Of the images that were shown, so that none is shown twice where a look goes too far back."""

LATE = (0.5, 1.0, 2.0)
"""Seconds between looks for an embedding that may come later than its image."""

BEGINNING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Match:
    """An image that has become READY and answers; the relevance of its hit is known."""

    image: Image
    hit: Hit


@dataclass(frozen=True, slots=True)
class WatchMatches:
    """Yield the images that become READY and match, each at most once.

    They are as relevant as is asked for, or likely an answer where nothing is. Everything that
    happens from the moment it is entered counts, whatever becomes of the connection meanwhile.
    """

    search: SearchImages
    ready_feed: ReadyFeed
    known_models: KnownModels
    events: Events
    clock: Clock
    patience: Retry = field(default_factory=Retry)
    late: Sequence[float] = LATE

    @asynccontextmanager
    async def __call__(
        self, by: SearchBy, narrowing: SearchOptions
    ) -> AsyncIterator[AsyncIterator[Match]]:
        """Watch while it is entered. Raises what a search does, and Overloaded.

        What is looked for is embedded once. When another model has come to answer, watching ends
        with SearchExpired at the next image: their embeddings cannot be compared.
        """
        async with self.events.images() as changes:
            began = self.clock()
            query = await self.search.query(by)
            matches = self._follow(_Live(query, narrowing, began), changes)
            async with aclosing(matches):
                yield matches

    async def _follow(
        self, live: _Live, changes: AsyncIterator[Sequence[UUID] | None]
    ) -> AsyncGenerator[Match]:
        heard = live.began
        async for changed in changes:
            # Whatever is heard of later happens after this.
            now = self.clock()
            portions = self._missed(live, heard) if changed is None else _portions(changed)
            async with aclosing(portions):
                async for ids in portions:
                    for match in await self._judged(live, ids):
                        live.remember(match.image.id)
                        yield match
            heard = now

    async def _missed(self, live: _Live, heard: datetime) -> AsyncGenerator[Sequence[UUID]]:
        """Yield what has become READY since the last news, or shortly before that."""
        place = (max(live.began, heard - OVERLAP), BEGINNING)
        while True:
            look = partial(self.ready_feed.ready_after, place, limit=PORTION)
            places = await self.patience(look)
            if places:
                yield [image_id for _, image_id in places]
                place = places[-1]
            if len(places) < PORTION:
                return

    async def _judged(self, live: _Live, ids: Sequence[UUID]) -> list[Match]:
        """Return which of the images are READY, match, and were not shown before."""
        new = [id_ for id_ in dict.fromkeys(ids) if id_ not in live.shown]
        images = await self.patience(partial(self._matching, live, new))
        scores = await self._scores(live, list(images)) if images else {}
        hits = [Hit(image_id, scores[image_id]) for image_id in images if image_id in scores]
        least = live.narrowing.min_relevance
        judge = partial(self.search.score.relevant, live.query, hits, least=least)
        relevant = await self.patience(judge) if hits else []
        return [Match(images[hit.image_id], hit) for hit in relevant]

    async def _matching(self, live: _Live, ids: Sequence[UUID]) -> dict[UUID, Image]:
        here = await self.search.catalog.get(ids) if ids else {}
        ready = [id_ for id_ in ids if id_ in here and here[id_].status is ImageStatus.READY]
        if not ready:
            return {}
        matching = await self.ready_feed.matching(ready, live.narrowing.criteria)
        return {image_id: here[image_id] for image_id in ready if image_id in matching}

    async def _scores(self, live: _Live, ids: Sequence[UUID]) -> dict[UUID, float]:
        """Return how near images lie. Raises SearchExpired where another model answers.

        One that another model made READY has no embedding of this one yet, and may get it soon.
        """
        scores: dict[UUID, float] = {}
        lacking = list(ids)
        for pause in (0, *self.late):
            await asyncio.sleep(pause)
            cosines = await self.patience(partial(self._cosines, live, lacking))
            scores |= {image_id: cosine for image_id, [cosine] in cosines.items()}
            lacking = [id_ for id_ in lacking if id_ not in scores]
            here = await self.patience(partial(self.search.catalog.get, lacking))
            lacking = list(here)
            if not lacking:
                break
            await self.patience(self._check_model)
        return scores

    async def _cosines(self, live: _Live, ids: Sequence[UUID]) -> dict[UUID, Sequence[float]]:
        try:
            return await self.search.vectors.cosines(ids, [live.query.embedding])
        except Exception:
            # A model that was dropped has taken its embeddings along.
            await self._check_model()
            raise

    async def _check_model(self) -> None:
        for model in await self.known_models.known():
            if model.state is ModelState.ACTIVE and model.name != self.search.score.model.name:
                raise SearchExpired(
                    f"Another model, {model.name}, has come to answer; subscribe again."
                )


@dataclass(slots=True)
class _Live:
    """A live search, and what was shown of it."""

    query: Query
    narrowing: SearchOptions
    began: datetime
    shown: OrderedDict[UUID, None] = field(default_factory=OrderedDict)

    def remember(self, image_id: UUID) -> None:
        self.shown[image_id] = None
        if len(self.shown) > REMEMBERED:
            self.shown.popitem(last=False)


async def _portions(ids: Sequence[UUID]) -> AsyncGenerator[Sequence[UUID]]:
    for start in range(0, len(ids), PORTION):
        yield ids[start : start + PORTION]
