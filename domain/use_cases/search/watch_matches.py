"""Live searches: yields images that match, as they become READY."""

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

MATCH_BATCH_SIZE = 500
"""How many images are matched at a time."""

READY_FEED_OVERLAP = timedelta(seconds=30)
"""How far before the last event the ready feed is read after a gap: its instants are those of
transaction begins, and a transaction may take this long."""

MAX_REMEMBERED_MATCHES = 10_000
"""How many yielded images are remembered, so that the overlap yields none twice."""

EMBEDDING_RETRY_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Pauses between looks for an embedding. Another model can make an image READY before this one has
embedded it."""

SMALLEST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Match:
    """An image that became READY and matches. Its hit has a relevance."""

    image: Image
    hit: Hit


@dataclass(frozen=True, slots=True)
class WatchMatches:
    """Yields the images that become READY and match, each at most once.

    A match has at least the minimum relevance of the options, or LIKELY where they have none. What
    becomes READY while events are lost is read from the ready feed.
    """

    search: SearchImages
    ready_feed: ReadyFeed
    known_models: KnownModels
    events: Events
    clock: Clock
    retry: Retry = field(default_factory=Retry)
    embedding_retry_pauses: Sequence[float] = EMBEDDING_RETRY_PAUSES_SECONDS

    @asynccontextmanager
    async def __call__(
        self, by: SearchBy, options: SearchOptions
    ) -> AsyncIterator[AsyncIterator[Match]]:
        """Subscribe for as long as the context is entered.

        Raises the same refusals as a search, and Overloaded. The query is embedded once. When
        another model becomes active, the next image ends the iteration with SearchExpired, as
        embeddings of different models cannot be compared.
        """
        async with self.events.images() as changes:
            subscribed_at = self.clock()
            query = await self.search.query(by)
            matches = self._follow(_LiveSearch(query, options, subscribed_at), changes)
            async with aclosing(matches):
                yield matches

    async def _follow(
        self, live: _LiveSearch, changes: AsyncIterator[Sequence[UUID] | None]
    ) -> AsyncGenerator[Match]:
        last_event_at = live.subscribed_at
        async for ids in changes:
            # Read before the images are matched: later events belong to the next step.
            now = self.clock()
            batches = self._missed(live, last_event_at) if ids is None else _batches(ids)
            async with aclosing(batches):
                async for batch in batches:
                    for match in await self._matches(live, batch):
                        live.remember(match.image.id)
                        yield match
            last_event_at = now

    async def _missed(
        self, live: _LiveSearch, last_event_at: datetime
    ) -> AsyncGenerator[Sequence[UUID]]:
        """Yield what became READY since the last event, or within the overlap before it."""
        position = (max(live.subscribed_at, last_event_at - READY_FEED_OVERLAP), SMALLEST_ID)
        while True:
            positions = await self.retry(
                partial(self.ready_feed.ready_after, position, limit=MATCH_BATCH_SIZE)
            )
            if positions:
                yield [image_id for _, image_id in positions]
                position = positions[-1]
            if len(positions) < MATCH_BATCH_SIZE:
                return

    async def _matches(self, live: _LiveSearch, ids: Sequence[UUID]) -> list[Match]:
        """Return the images that are READY, match, and were not yielded before."""
        new = [id_ for id_ in dict.fromkeys(ids) if id_ not in live.yielded]
        images = await self.retry(partial(self._ready_and_matching, live, new))
        scores = await self._scores(live, list(images)) if images else {}
        hits = [Hit(image_id, scores[image_id]) for image_id in images if image_id in scores]
        if not hits:
            return []
        relevant = await self.retry(
            partial(self.search.score.relevant, live.query, hits, least=live.options.min_relevance)
        )
        return [Match(images[hit.image_id], hit) for hit in relevant]

    async def _ready_and_matching(
        self, live: _LiveSearch, ids: Sequence[UUID]
    ) -> dict[UUID, Image]:
        existing = await self.search.catalog.get(ids) if ids else {}
        ready = [
            id_ for id_ in ids if id_ in existing and existing[id_].status is ImageStatus.READY
        ]
        if not ready:
            return {}
        matching = await self.search.catalog.matching(ready, live.options.criteria)
        return {image_id: existing[image_id] for image_id in ready if image_id in matching}

    async def _scores(self, live: _LiveSearch, ids: Sequence[UUID]) -> dict[UUID, float]:
        """Return the cosine similarities of images. Raises SearchExpired for another active model.

        An image whose embedding is missing is tried again after each pause, and left out in the
        end.
        """
        scores: dict[UUID, float] = {}
        unscored = list(ids)
        for pause in (0, *self.embedding_retry_pauses):
            await asyncio.sleep(pause)
            cosines = await self.retry(partial(self._cosines, live, unscored))
            scores |= {image_id: cosine for image_id, [cosine] in cosines.items()}
            unscored = [id_ for id_ in unscored if id_ not in scores]
            unscored = list(await self.retry(partial(self.search.catalog.get, unscored)))
            if not unscored:
                break
            await self.retry(self._check_model)
        return scores

    async def _cosines(self, live: _LiveSearch, ids: Sequence[UUID]) -> dict[UUID, Sequence[float]]:
        try:
            return await self.search.vectors.cosines(ids, [live.query.embedding])
        except Exception:
            # The embeddings of a dropped model are gone: this is a refusal then, not an outage.
            await self._check_model()
            raise

    async def _check_model(self) -> None:
        for model in await self.known_models.known():
            if model.state is ModelState.ACTIVE and model.name != self.search.score.model.name:
                raise SearchExpired(f"Another model, {model.name}, is active now; subscribe again.")


@dataclass(slots=True)
class _LiveSearch:
    """The state of one subscription."""

    query: Query
    options: SearchOptions
    subscribed_at: datetime
    yielded: OrderedDict[UUID, None] = field(default_factory=OrderedDict)

    def remember(self, image_id: UUID) -> None:
        self.yielded[image_id] = None
        if len(self.yielded) > MAX_REMEMBERED_MATCHES:
            self.yielded.popitem(last=False)


async def _batches(ids: Sequence[UUID]) -> AsyncGenerator[Sequence[UUID]]:
    for start in range(0, len(ids), MATCH_BATCH_SIZE):
        yield ids[start : start + MATCH_BATCH_SIZE]
