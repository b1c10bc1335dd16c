"""A live search: what becomes READY and matches, from now on."""

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

    Paint = Callable[..., Awaitable[Image]]

PROCESSING, READY = ImageStatus.PROCESSING, ImageStatus.READY
ANYTHING = SearchOptions()
RED = ByText("red")


class TroubledCatalog(MemoryCatalog):
    """A catalog that fails at a comparison when it is told to, and knows another active model."""

    failures = 0
    active: KnownModel | None = None

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        if self.failures:
            self.failures -= 1
            raise ConnectionResetError
        # What another model embedded is nothing to this one.
        own = [id_ for id_, each in (await self.embeddings(ids)).items() if len(each)]
        return await super().cosines(own, points)

    async def known(self) -> Sequence[KnownModel]:
        return [self.active] if self.active else await super().known()


@pytest.fixture
def catalog(clock: SettableClock) -> TroubledCatalog:
    catalog = TroubledCatalog(EmbeddingModel("fake", 16))
    catalog.now = clock
    return catalog


@pytest.fixture
def watch(use_cases: UseCases) -> WatchMatches:
    return replace(use_cases.watch_matches, patience=Retry((0.0, 0.0)), late=(0.0, 0.0))


@pytest.fixture
def paint(catalog: TroubledCatalog, encoder: FakeEncoder) -> Paint:
    """Return what lets a picture of a colour come."""

    async def paint(colour: str, status: ImageStatus = READY, **facts: Any) -> Image:  # noqa: ANN401 - as image_with
        [embedding] = await encoder.encode_texts([colour])
        return await catalog.add(image_with(status=status, **facts), embedding)

    return paint


async def soon(matches: AsyncIterator[Match]) -> Match:
    return await asyncio.wait_for(anext(matches), 60)


async def ids(matches: AsyncIterator[Match], catalog: TroubledCatalog) -> list[UUID]:
    """Return what comes until nothing more can."""
    for listener in catalog.events.listeners:
        listener.close()
    async with asyncio.timeout(60):
        return [match.image.id async for match in matches]


async def test_what_becomes_ready_and_matches_comes_as_a_search_would_have_it(
    use_cases: UseCases, watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    await paint("red")
    async with watch(RED, ANYTHING) as matches:
        await paint("blue")
        red = await paint("red")
        match = await soon(matches)
        assert red == match.image
        assert [] == await ids(matches, catalog)
    page = await use_cases.search(RED)
    judged = await use_cases.search.score(page.search.query, [each.hit for each in page.found])
    [hit] = [hit for hit in judged if hit.image_id == red.id]
    assert hit.score == pytest.approx(match.hit.score)
    assert hit.relevance == pytest.approx(match.hit.relevance)


async def test_an_image_counts_once_it_is_ready(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    async with watch(RED, ANYTHING) as matches:
        image = await paint("red", PROCESSING)
        failing = await paint("red", PROCESSING)
        catalog.put(replace(failing, status=ImageStatus.FAILED))
        ready = replace(image, status=READY)
        catalog.put(ready)
        assert ready == (await soon(matches)).image
        catalog.events.tell(image.id, failing.id)
        await catalog.delete([failing.id])
        assert [] == await ids(matches, catalog)


async def test_conditions_and_relevance_narrow_it(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    narrowing = SearchOptions(ImageFilter(tags_all=("sea",)), min_relevance=0.0)
    async with watch(RED, narrowing) as matches:
        await paint("red")
        wanted = [await paint("red", tags=("sea",)), await paint("blue", tags=("sea",))]
        assert [image.id for image in wanted] == await ids(matches, catalog)
    async with watch(RED, SearchOptions(min_relevance=1.0)) as matches:
        await paint("red orange")
        assert [] == await ids(matches, catalog)


async def test_a_filter_of_other_statuses_lets_nothing_through(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    waiting = SearchOptions(ImageFilter(status_in=(PROCESSING,)))
    async with watch(RED, waiting) as matches:
        await paint("red")
        await paint("red", PROCESSING)
        assert [] == await ids(matches, catalog)


async def test_what_is_looked_for_is_embedded_once(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog, encoder: FakeEncoder
) -> None:
    async with watch(RED, ANYTHING) as matches:
        asked = encoder.texts.count("red")
        for _ in range(3):
            catalog.put(await paint("red"))
            await soon(matches)
    assert (1, 4) == (asked, encoder.texts.count("red"))


@pytest.mark.parametrize("kind", ["text", "picture", "image", "blend", "search"])
async def test_every_kind_of_question_can_be_watched(
    kind: str, use_cases: UseCases, watch: WatchMatches, paint: Paint
) -> None:
    known = await paint("red")
    questions: dict[str, SearchBy] = {
        "text": RED,
        "picture": ByUpload(upload(picture_file((255, 0, 0)))),
        "image": ByImage(known.id),
        "blend": ByBlend((WeightedTerm(RED),), (WeightedTerm(ByText("blue")),)),
        "search": BySearch((await use_cases.search(RED)).search_id),
    }
    async with watch(questions[kind], SearchOptions(min_relevance=0.1)) as matches:
        image = await paint("red")
        assert image == (await soon(matches)).image


async def test_what_was_missed_is_made_up_for_and_nothing_comes_twice(
    watch: WatchMatches,
    paint: Paint,
    catalog: TroubledCatalog,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PORTION", 2)
    await paint("red")
    clock.pass_time(timedelta(seconds=1))
    async with watch(RED, ANYTHING) as matches:
        for _ in range(2):
            seen = await paint("red")
            assert seen == (await soon(matches)).image
        catalog.events.lose()
        missed = [await paint("red") for _ in range(5)]
        clock.pass_time(timedelta(seconds=1))
        missed.append(await paint("red"))
        found = [(await soon(matches)).image.id for _ in range(6)]
        assert {image.id for image in missed} == set(found)
        assert missed[-1].id == found[-1]
        clock.pass_time(timedelta(hours=1))
        catalog.events.lose()
        last = await paint("red")
        assert [last.id] == await ids(matches, catalog)


async def test_only_so_many_are_remembered_as_shown(
    watch: WatchMatches,
    paint: Paint,
    catalog: TroubledCatalog,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 1)
    async with watch(RED, ANYTHING) as matches:
        images = []
        for _ in range(2):
            images.append(await paint("red"))
            await soon(matches)
            clock.pass_time(timedelta(seconds=1))
        catalog.events.lose()
        assert [images[0].id] == await ids(matches, catalog)


async def test_an_outage_is_waited_for(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    async with watch(RED, ANYTHING) as matches:
        catalog.failures = 2
        image = await paint("red")
        assert image == (await soon(matches)).image
        catalog.failures = 3
        await paint("red")
        with pytest.raises(ConnectionResetError):
            await soon(matches)
    assert not catalog.events.listeners


async def test_who_waits_for_an_embedding_holds_up_nobody(
    watch: WatchMatches, paint: Paint, catalog: TroubledCatalog
) -> None:
    async def wait() -> Match:
        async with replace(watch, late=(60.0,))(RED, ANYTHING) as matches:
            return await anext(matches)

    waiting = [asyncio.create_task(wait()) for _ in range(RETRY_CONCURRENCY)]
    await asyncio.sleep(0.05)
    await catalog.add(image_with(), ())
    await asyncio.sleep(0.05)
    waiting.append(asyncio.create_task(wait()))
    await asyncio.sleep(0.05)
    red = await paint("red")
    assert red == (await asyncio.wait_for(waiting[-1], 20)).image
    assert all(task.cancel() for task in waiting[:-1])


@pytest.mark.parametrize("dropped", [False, True])
async def test_it_ends_when_another_model_has_come_to_answer(
    watch: WatchMatches, catalog: TroubledCatalog, *, dropped: bool
) -> None:
    async with watch(RED, ANYTHING) as matches:
        catalog.failures = 1_000 * dropped
        catalog.active = KnownModel("tests/new", 3, ModelState.ACTIVE, 1)
        await catalog.add(image_with(), ())
        with pytest.raises(SearchExpired, match="tests/new, has come to answer; subscribe again"):
            await soon(matches)


async def test_what_has_no_embedding_yet_is_given_a_while(
    watch: WatchMatches, catalog: TroubledCatalog, encoder: FakeEncoder
) -> None:
    late, never = image_with(), image_with()
    [embedding] = await encoder.encode_texts(["red"])

    async def embed() -> Sequence[KnownModel]:
        catalog.put(late, embedding)
        return await MemoryCatalog.known(catalog)

    catalog.known = embed  # type: ignore[method-assign]  # the moment between two looks
    async with watch(RED, ANYTHING) as matches:
        await catalog.add(never, ())
        await catalog.add(late, ())
        deleted = await catalog.add(image_with(), ())
        await catalog.delete([deleted.id])
        assert [late.id] == await ids(matches, catalog)


async def test_questions_without_an_answer_are_refused_at_once(
    watch: WatchMatches, catalog: TroubledCatalog
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
