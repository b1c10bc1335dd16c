"""Which models are loaded, and which of them answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import pytest

from domain.editions import Edition, Editions
from domain.embeddings import ModelState
from domain.errors import Misconfigured
from domain.index import AT_ONCE, IndexImages
from domain.worker import GENTLY, keep_all_indexing
from tests.fakes.encoder import FakeEncoder
from tests.fakes.models import MemoryModels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from domain import UseCases
    from domain.models import LiveModel

BACKFILLING, READY, ACTIVE, RETIRED = (
    ModelState.BACKFILLING,
    ModelState.READY,
    ModelState.ACTIVE,
    ModelState.RETIRED,
)


@dataclass(frozen=True)
class Watched(IndexImages):
    """Work that says how much of it may go on at once."""

    noted: dict[str, int] = field(default_factory=dict)

    async def __call__(self) -> AsyncGenerator[int]:
        self.noted[self.encoder.model.name] = self.at_once()
        return
        yield


@dataclass
class Shop:
    """Where models are loaded, and what was."""

    use_cases: UseCases
    models: MemoryModels = field(default_factory=MemoryModels)
    loaded: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    at_once: dict[str, int] = field(default_factory=dict)
    oversized: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def open(self, model: LiveModel | None, _: Editions) -> AsyncIterator[Edition]:
        if model is None:
            [model] = [each for each in self.models.known.values() if each.is_active]
        if model.name in self.damaged:
            raise Misconfigured(f"The folder {model.source} is empty.")
        if model.name in self.oversized:
            raise MemoryError
        encoder, name = FakeEncoder(name=model.name), model.name
        judge = replace(self.use_cases.search.judge, model=encoder.model)
        search = replace(self.use_cases.search, judge=judge)
        describe = replace(self.use_cases.describe, encoder=encoder)
        index = self.use_cases.index
        facts = {each.name: getattr(index, each.name) for each in fields(index)}
        watched = Watched(**facts | {"encoder": encoder, "noted": self.at_once})
        use_cases = replace(self.use_cases, search=search, describe=describe, index=watched)

        async def check() -> None:
            pass

        async def prepare() -> None:
            self.prepared.append(name)

        self.loaded.append(name)
        yield Edition(model, encoder, use_cases, check, prepare)
        self.closed.append(name)

    def editions(self, *, grace: float = 0) -> Editions:
        return Editions(self.models, self.open, grace)


@pytest.fixture
def shop(use_cases: UseCases) -> Shop:
    return Shop(use_cases)


@pytest.fixture
async def editions(shop: Shop) -> AsyncIterator[Editions]:
    """Those of a library that is searched by "old"."""
    shop.models.set(old=ACTIVE)
    async with Editions.of(shop.models, shop.open, grace=0) as editions:
        yield editions


def answering(editions: Editions) -> str:
    return editions.current().describe.model.name


async def test_what_the_library_names_answers_until_another_is_promoted(
    shop: Shop, editions: Editions
) -> None:
    assert "old" == answering(editions)
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    assert ("old", ["old", "new"]) == (answering(editions), shop.loaded)
    before = editions.current()
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert "new" == answering(editions)
    # Whoever took it before has it to the end.
    assert "old" == before.describe.model.name
    shop.models.set(old=ACTIVE, new=READY)
    await editions.refresh()
    assert ("old", ["old", "new"]) == (answering(editions), shop.loaded)


async def test_a_model_that_was_dropped_is_let_go(shop: Shop, editions: Editions) -> None:
    shop.models.set(new=READY)
    await editions.refresh()
    assert editions.search_of("new") is not None
    shop.models.set(new=RETIRED)
    await editions.refresh()
    assert editions.search_of("new") is None
    await until_closed(shop, "new")
    assert ["old"] == [edition.model.name for edition in editions.kept()]


async def test_a_dropped_model_stays_as_long_as_a_request_may_take(shop: Shop) -> None:
    shop.models.set(old=ACTIVE, new=READY)
    async with Editions.of(shop.models, shop.open, grace=60) as editions:
        await editions.refresh()
        shop.models.set(new=RETIRED)
        await editions.refresh()
        await asyncio.sleep(0)
        assert [] == shop.closed
    assert ["new", "old"] == shop.closed


async def test_one_that_cannot_be_loaded_is_logged_once_and_the_one_before_goes_on(
    shop: Shop, editions: Editions, caplog: pytest.LogCaptureFixture
) -> None:
    shop.damaged.add("new")
    shop.models.set(new=READY)
    for _ in range(3):
        await editions.refresh()
    assert ["new cannot be loaded: The folder /models/new is empty."] == caplog.messages
    shop.models.set(old=READY, new=ACTIVE)
    for _ in range(3):
        await editions.refresh()
    assert (
        "new cannot be loaded; old goes on answering: The folder /models/new is empty."
        == (caplog.messages[-1])
    )
    assert (2, "old") == (len(caplog.messages), answering(editions))
    # The one that goes on is needed even when it was dropped.
    shop.models.set(old=RETIRED)
    await editions.refresh()
    assert "old" == answering(editions)


async def test_one_that_there_is_no_room_for_holds_up_nothing_and_is_not_tried_at_once_again(
    shop: Shop, editions: Editions, caplog: pytest.LogCaptureFixture
) -> None:
    shop.oversized.add("large")
    shop.models.set(large=READY, other=READY)
    for _ in range(3):
        await editions.refresh()
    assert ["large cannot be loaded"] == caplog.messages
    assert ["old", "other"] == shop.loaded


async def test_one_that_was_put_right_is_loaded_when_its_state_changes(
    shop: Shop, editions: Editions
) -> None:
    shop.damaged.add("new")
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    shop.damaged.clear()
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert "new" == answering(editions)


async def test_what_cannot_be_loaded_at_the_beginning_is_refused(shop: Shop) -> None:
    shop.models.set(old=ACTIVE)
    shop.damaged.add("old")
    with pytest.raises(Misconfigured, match="/models/old is empty"):
        async with Editions.of(shop.models, shop.open, grace=0):
            pass


async def test_a_follower_keeps_up_and_prepares_also_after_an_outage(
    shop: Shop, editions: Editions, caplog: pytest.LogCaptureFixture
) -> None:
    turn, looked = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        looked.set()
        await turn.wait()
        turn.clear()

    async def look() -> None:
        looked.clear()
        turn.set()
        async with asyncio.timeout(30):
            await looked.wait()

    following = asyncio.create_task(editions.follow(change))
    async with asyncio.timeout(30):
        await looked.wait()
    shop.models.broken = True
    await look()
    assert ["the models could not be looked at; trying again"] == caplog.messages
    shop.models.broken = False
    shop.models.set(old=READY, new=ACTIVE)
    await look()
    assert "new" == answering(editions)
    following.cancel()
    await asyncio.wait([following])
    assert ["old", "new"] == shop.prepared


async def test_what_answers_is_looked_after_first_and_what_is_being_filled_not_yet(
    shop: Shop, editions: Editions
) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    assert ["old"] == [each.describe.model.name for each in editions.prepared()]
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    assert ["new", "old"] == [each.describe.model.name for each in editions.prepared()]


async def test_only_what_is_being_filled_is_settled(shop: Shop, editions: Editions) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    for edition in editions.kept():
        await editions.settle(edition.model.id)
    assert [shop.models.known["new"].id] == shop.models.settled


async def test_each_loaded_model_has_a_worker_until_it_is_dropped(
    shop: Shop, editions: Editions
) -> None:
    async def a_moment() -> None:
        await asyncio.sleep(0)

    shop.models.set(new=BACKFILLING)
    working = asyncio.create_task(keep_all_indexing(editions, wait=a_moment))
    await editions.refresh()
    async with asyncio.timeout(30):
        while len(shop.models.settled) < 3:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0)
    shop.models.set(new=RETIRED)
    await editions.refresh()
    await until_closed(shop, "new")
    settled = len(shop.models.settled)
    await asyncio.sleep(0.01)
    assert settled == len(shop.models.settled)
    working.cancel()
    await asyncio.wait([working])


@pytest.mark.parametrize("gently", [True, False])
async def test_a_server_fills_a_model_gently_beside_the_one_that_answers(
    shop: Shop, editions: Editions, *, gently: bool
) -> None:
    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    working = asyncio.create_task(
        keep_all_indexing(editions, wait=lambda: asyncio.sleep(0), gently=gently)
    )
    async with asyncio.timeout(30):
        while len(shop.at_once) < 2:  # noqa: ASYNC110 - a worker tells nobody
            await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert {"old": AT_ONCE, "new": GENTLY if gently else AT_ONCE} == shop.at_once


async def until_closed(shop: Shop, name: str) -> None:
    async with asyncio.timeout(30):
        while name not in shop.closed:  # noqa: ASYNC110 - it is let go beside
            await asyncio.sleep(0)


async def test_who_works_for_one_model_may_leave_the_others_to_workers_beside(
    shop: Shop, editions: Editions
) -> None:
    worked: list[str] = []

    async def noting(model_id: int) -> None:
        worked.append(next(each.name for each in shop.models.known.values() if each.id == model_id))

    shop.models.set(new=BACKFILLING)
    await editions.refresh()
    object.__setattr__(shop.models, "settle", noting)
    but = editions.answering().model.id
    working = asyncio.create_task(
        keep_all_indexing(editions, wait=lambda: asyncio.sleep(0), but=but)
    )
    await asyncio.sleep(0.05)
    # One that is promoted meanwhile is among the others still.
    shop.models.set(old=READY, new=ACTIVE)
    await editions.refresh()
    shop.models.set(old=BACKFILLING)
    await editions.refresh()
    worked_by_then = set(worked)
    await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.wait([working])
    assert {"new"} == worked_by_then == set(worked)
