"""Live searches: images that become READY and match."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.concurrency import RETRY_CONCURRENCY, Retry
from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import ImageFilter
from domain.entities.images import ImageStatus, uuid7
from domain.entities.models import KnownModel, ModelState
from domain.entities.queries import (
    ByBlend,
    ByImage,
    BySearch,
    ByText,
    ByUpload,
    SearchOptions,
    WeightedTerm,
)
from domain.errors import ImageNotFound, InvalidArgument, SearchExpired
from domain.use_cases.search import watch_matches as module
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.files import upload
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from domain import UseCases
    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy
    from domain.use_cases.search.watch_matches import Match, WatchMatches
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder

    AddPicture = Callable[..., Awaitable[Image]]

PROCESSING, READY = ImageStatus.PROCESSING, ImageStatus.READY
ANYTHING = SearchOptions()
RED = ByText("red")


class FailingCatalog(MemoryCatalog):
    """Fails ``failures`` times to compare, and can have another active model."""

    failures = 0
    active: KnownModel | None = None

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError
        # An embedding of another model is not one of this model.
        own = [id_ for id_, each in (await self.embeddings(ids)).items() if len(each)]
        return await super().cosines(own, points)

    async def known(self) -> Sequence[KnownModel]:
        return [self.active] if self.active else await super().known()


@pytest.fixture
def catalog(clock: SettableClock) -> FailingCatalog:
    catalog = FailingCatalog(EmbeddingModel("fake", 16))
    catalog.now = clock
    return catalog


@pytest.fixture
def watch(use_cases: UseCases) -> WatchMatches:
    return replace(
        use_cases.watch_matches, retry=Retry((0.0, 0.0)), embedding_retry_pauses=(0.0, 0.0)
    )


@pytest.fixture
def add_picture(catalog: FailingCatalog, encoder: FakeEncoder) -> AddPicture:
    """Return a function that adds an image of a colour."""

    async def add_picture(colour: str, status: ImageStatus = READY, **facts: Any) -> Image:  # noqa: ANN401 - as image_with
        [embedding] = await encoder.encode_texts([colour])
        return await catalog.add(image_with(status=status, **facts), embedding)

    return add_picture


async def next_match(matches: AsyncIterator[Match]) -> Match:
    return await asyncio.wait_for(anext(matches), 60)


async def ids(matches: AsyncIterator[Match], catalog: FailingCatalog) -> list[UUID]:
    """Close the subscription, and return the ids of the remaining matches."""
    for subscriber in catalog.events.listeners:
        subscriber.close()
    async with asyncio.timeout(60):
        return [match.image.id async for match in matches]


async def test_a_match_has_the_same_score_and_relevance_as_in_a_search(
    use_cases: UseCases, watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    await add_picture("red")
    async with watch(RED, ANYTHING) as matches:
        await add_picture("blue")
        red = await add_picture("red")
        match = await next_match(matches)
        assert red == match.image
        assert [] == await ids(matches, catalog)
    page = await use_cases.search(RED)
    scored = await use_cases.search.score(page.search.query, [each.hit for each in page.found])
    [hit] = [hit for hit in scored if hit.image_id == red.id]
    assert hit.score == pytest.approx(match.hit.score)
    assert hit.relevance == pytest.approx(match.hit.relevance)


async def test_an_image_matches_when_it_becomes_ready(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    async with watch(RED, ANYTHING) as matches:
        image = await add_picture("red", PROCESSING)
        failing = await add_picture("red", PROCESSING)
        catalog.put(replace(failing, status=ImageStatus.FAILED))
        ready = replace(image, status=READY)
        catalog.put(ready)
        assert ready == (await next_match(matches)).image
        catalog.events.emit(image.id, failing.id)
        await catalog.delete([failing.id])
        assert [] == await ids(matches, catalog)


async def test_only_images_that_match_the_filter_and_the_minimum_relevance_are_yielded(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    options = SearchOptions(ImageFilter(tags_all=("sea",)), min_relevance=0.0)
    async with watch(RED, options) as matches:
        await add_picture("red")
        wanted = [await add_picture("red", tags=("sea",)), await add_picture("blue", tags=("sea",))]
        assert [image.id for image in wanted] == await ids(matches, catalog)
    async with watch(RED, SearchOptions(min_relevance=1.0)) as matches:
        await add_picture("red orange")
        assert [] == await ids(matches, catalog)


async def test_a_filter_on_other_statuses_matches_nothing(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    waiting = SearchOptions(ImageFilter(status_in=(PROCESSING,)))
    async with watch(RED, waiting) as matches:
        await add_picture("red")
        await add_picture("red", PROCESSING)
        assert [] == await ids(matches, catalog)


async def test_the_query_is_embedded_once(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog, encoder: FakeEncoder
) -> None:
    async with watch(RED, ANYTHING) as matches:
        embedded = encoder.texts.count("red")
        for _ in range(3):
            catalog.put(await add_picture("red"))
            await next_match(matches)
    assert (1, 4) == (embedded, encoder.texts.count("red"))


@pytest.mark.parametrize("kind", ["text", "picture", "image", "blend", "search"])
async def test_every_kind_of_query_can_be_watched(
    kind: str, use_cases: UseCases, watch: WatchMatches, add_picture: AddPicture
) -> None:
    known = await add_picture("red")
    queries: dict[str, SearchBy] = {
        "text": RED,
        "picture": ByUpload(upload(picture_file((255, 0, 0)))),
        "image": ByImage(known.id),
        "blend": ByBlend((WeightedTerm(RED),), (WeightedTerm(ByText("blue")),)),
        "search": BySearch((await use_cases.search(RED)).search_id),
    }
    async with watch(queries[kind], SearchOptions(min_relevance=0.1)) as matches:
        image = await add_picture("red")
        assert image == (await next_match(matches)).image


async def test_images_missed_in_a_gap_are_yielded_and_none_twice(
    watch: WatchMatches,
    add_picture: AddPicture,
    catalog: FailingCatalog,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MATCH_BATCH_SIZE", 2)
    await add_picture("red")
    clock.pass_time(timedelta(seconds=1))
    async with watch(RED, ANYTHING) as matches:
        for _ in range(2):
            seen = await add_picture("red")
            assert seen == (await next_match(matches)).image
        catalog.events.lose_events()
        missed = [await add_picture("red") for _ in range(5)]
        clock.pass_time(timedelta(seconds=1))
        missed.append(await add_picture("red"))
        found = [(await next_match(matches)).image.id for _ in range(6)]
        assert {image.id for image in missed} == set(found)
        assert missed[-1].id == found[-1]
        clock.pass_time(timedelta(hours=1))
        catalog.events.lose_events()
        last = await add_picture("red")
        assert [last.id] == await ids(matches, catalog)


async def test_the_number_of_remembered_matches_is_bounded(
    watch: WatchMatches,
    add_picture: AddPicture,
    catalog: FailingCatalog,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED_MATCHES", 1)
    async with watch(RED, ANYTHING) as matches:
        images = []
        for _ in range(2):
            images.append(await add_picture("red"))
            await next_match(matches)
            clock.pass_time(timedelta(seconds=1))
        catalog.events.lose_events()
        assert [images[0].id] == await ids(matches, catalog)


async def test_a_failed_call_is_retried_until_the_outage_is_over(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    async with watch(RED, ANYTHING) as matches:
        catalog.failures = 2
        image = await add_picture("red")
        assert image == (await next_match(matches)).image
        catalog.failures = 3
        await add_picture("red")
        with pytest.raises(ConnectionResetError):
            await next_match(matches)
    assert not catalog.events.listeners


async def test_waiting_for_an_embedding_does_not_block_other_subscribers(
    watch: WatchMatches, add_picture: AddPicture, catalog: FailingCatalog
) -> None:
    async def wait() -> Match:
        async with replace(watch, embedding_retry_pauses=(60.0,))(RED, ANYTHING) as matches:
            return await anext(matches)

    waiting = [asyncio.create_task(wait()) for _ in range(RETRY_CONCURRENCY)]
    await asyncio.sleep(0.05)
    await catalog.add(image_with(), ())
    await asyncio.sleep(0.05)
    waiting.append(asyncio.create_task(wait()))
    await asyncio.sleep(0.05)
    red = await add_picture("red")
    assert red == (await asyncio.wait_for(waiting[-1], 20)).image
    assert all(task.cancel() for task in waiting[:-1])


@pytest.mark.parametrize("dropped", [False, True])
async def test_a_subscription_ends_when_another_model_becomes_active(
    watch: WatchMatches, catalog: FailingCatalog, *, dropped: bool
) -> None:
    async with watch(RED, ANYTHING) as matches:
        catalog.failures = 1_000 * dropped
        catalog.active = KnownModel("tests/new", 3, ModelState.ACTIVE, 1)
        await catalog.add(image_with(), ())
        with pytest.raises(SearchExpired, match="tests/new, is active now; subscribe again"):
            await next_match(matches)


async def test_an_image_without_an_embedding_is_tried_again_for_a_while(
    watch: WatchMatches, catalog: FailingCatalog, encoder: FakeEncoder
) -> None:
    delayed, never = image_with(), image_with()
    [embedding] = await encoder.encode_texts(["red"])

    async def embed() -> Sequence[KnownModel]:
        catalog.put(delayed, embedding)
        return await MemoryCatalog.known(catalog)

    catalog.known = embed  # type: ignore[method-assign]  # between two looks for the embedding
    async with watch(RED, ANYTHING) as matches:
        await catalog.add(never, ())
        await catalog.add(delayed, ())
        deleted = await catalog.add(image_with(), ())
        await catalog.delete([deleted.id])
        assert [delayed.id] == await ids(matches, catalog)


async def test_an_invalid_query_is_refused_before_anything_is_yielded(
    watch: WatchMatches, catalog: FailingCatalog
) -> None:
    for by, refusal in (
        (ByText(" "), InvalidArgument),
        (ByImage(uuid7()), ImageNotFound),
        (BySearch(uuid7()), SearchExpired),
    ):
        with pytest.raises(refusal):
            async with watch(by, ANYTHING):
                pass
    assert not catalog.events.listeners
