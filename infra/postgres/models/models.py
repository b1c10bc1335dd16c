"""Changing the model of a library while it is in use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.entities.models import LIVE, KnownModel, LiveModel, ModelState
from domain.errors import InvalidArgument, Misconfigured
from infra.postgres.models.active import (
    LOCK,
    active_model,
    active_row,
    known_models,
    make_partition,
    reassign,
    row_of,
)
from infra.postgres.models.index import settle
from infra.postgres.models.names import row_named
from infra.postgres.models.status import statuses
from infra.postgres.tables import ModelRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import ModelStatus
    from infra.postgres.models.active import ActiveModel

T = TypeVar("T")

NOTICE_SECONDS = 3.0
"""How long servers have to notice that a model is dropped, before its embeddings go."""

UNDER_WAY_SECONDS = 10
"""A picture may be so young and not embedded: it is about to be."""

LOOK_AGAIN = timedelta(minutes=5)
"""For so long what was there at one moment is waited for; then another moment is taken."""

# Tables come and go under locks that searches would wait behind: rather not now than long.
PATIENCE = text("SET LOCAL lock_timeout = '300ms'")
TRIES = 100
LOCKED = "55P03"

FILL = text("""
    INSERT INTO work (model_id, image_id)
    SELECT CAST(:model AS integer), id FROM images
    WHERE status = 'ready'
    AND NOT EXISTS (SELECT FROM embeddings WHERE image_id = id AND model_id = :model)
    ON CONFLICT DO NOTHING
""")
LACKING = text("""
    SELECT count(*) FILTER (WHERE due_at = 'infinity') AS failed,
        count(*) FILTER (WHERE COALESCE(due_at, '-infinity') < 'infinity'
            AND ready_at < now() - :seconds * interval '1 second') AS waiting
    FROM images LEFT JOIN work ON image_id = id AND model_id = :model
    WHERE status = 'ready'
    AND NOT EXISTS (SELECT FROM embeddings WHERE image_id = id AND model_id = :model)
""")
FORGET = tuple(
    text(f"DELETE FROM {table} WHERE model_id = :model")  # noqa: S608 - of constants alone
    for table in ("likenesses", "comparisons", "concepts")
)
FORGET_SEARCHES = text("DELETE FROM searches WHERE model = :name")


@dataclass(frozen=True, slots=True)
class PostgresModels:
    """The models of a library. Each change is a transaction, or can be repeated to its end."""

    engine: AsyncEngine
    notice_seconds: float = NOTICE_SECONDS
    _looked: dict[int, datetime] = field(default_factory=dict)
    """By model: since when it is looked whether what was there then is done."""

    async def live(self) -> Sequence[LiveModel]:
        """Return the models that are to know every image, the oldest first."""
        statement = select(ModelRow).where(col(ModelRow.state).in_(LIVE)).order_by(col(ModelRow.id))
        async with AsyncSession(self.engine) as session:
            return [live_model(row) for row in await session.scalars(statement)]

    async def known(self) -> Sequence[KnownModel]:
        async with AsyncSession(self.engine) as session:
            return await known_models(session)

    async def find(self, said: str) -> LiveModel:
        """Return the live model that is meant. Raises InvalidArgument."""
        async with AsyncSession(self.engine) as session:
            row = await row_named(session, said)
            if row.state == ModelState.RETIRED:
                raise InvalidArgument(("name",), _why_not(row))
            return live_model(row)

    async def statuses(self) -> Sequence[ModelStatus]:
        """Return how far each model has got, the oldest first."""
        return await statuses(self.engine)

    async def finish_backfill(self, model_id: int) -> bool:
        """Finish a BACKFILLING model if nothing is left to do, and tell whether it is READY.

        Then the index is built, by one process at a time, which takes as long as it takes. Work
        that is missing is written down anew.
        """
        async with self.engine.connect() as connection:
            [[now]] = await connection.execute(text("SELECT now()"))
        since = self._looked.setdefault(model_id, now)
        if now - since > LOOK_AGAIN:
            since = self._looked[model_id] = now
        is_ready = await settle(self.engine, model_id, fill=FILL, before=since)
        if is_ready:
            self._looked.pop(model_id, None)
        return is_ready

    async def add(self, model: EmbeddingModel, source: str) -> LiveModel:
        """Begin to fill a model, or see to it that nothing of its work is missing."""

        async def make() -> int:
            async with AsyncSession(self.engine) as session, session.begin():
                await session.execute(LOCK)
                if await active_row(session) is None:
                    raise Misconfigured(
                        "The library has no model yet: set PICTOGRAPH_MODEL to this one, and "
                        "start the server."
                    )
                row = await row_of(session, model)
                row.source = source
                if row.state == ModelState.RETIRED:
                    await session.flush()
                    await session.execute(PATIENCE)
                    await make_partition(session, active_model(row))
                    # It would be kept up to date with each picture, which takes longer than to
                    # build it once.
                    await session.execute(text(f"DROP INDEX IF EXISTS {active_model(row).index}"))
                    # Together with its table: whoever is dropping it lets it be from now on.
                    row.state = ModelState.BACKFILLING
                    row.activated_at = None
                return active_model(row).id

        model_id = await _promptly(make)
        async with AsyncSession(self.engine) as session, session.begin():
            await session.execute(LOCK)
            row = await session.get_one(ModelRow, model_id)
            if row.state != ModelState.RETIRED:
                await session.execute(FILL, {"model": row.id})
            return live_model(row)

    async def promote(self, said: str, *, even_incomplete: bool = False) -> LiveModel:
        """Let a READY model answer from now on, and keep the one before READY.

        Raises InvalidArgument for one that is not READY, or that does not know all pictures: what
        was set aside for it is let pass if ``even_incomplete``.
        """
        async with AsyncSession(self.engine) as session:
            row = await row_named(session, said)
            if row.state != ModelState.READY:
                raise InvalidArgument(("name",), _why_not(row))
        return await self._flip(active_model(row), even_incomplete=even_incomplete)

    async def rollback(self, *, even_incomplete: bool = False) -> LiveModel:
        """Let the model answer again that did before. Raises InvalidArgument, as ``promote``."""
        statement = (
            select(ModelRow)
            .where(col(ModelRow.state) == ModelState.READY, col(ModelRow.activated_at).is_not(None))
            .order_by(col(ModelRow.activated_at).desc())
            .limit(1)
        )
        async with AsyncSession(self.engine) as session:
            row = (await session.scalars(statement)).one_or_none()
        if row is None:
            raise InvalidArgument(
                ("name",),
                "No model that answered before is kept; `pictograph models status` shows those "
                "that may be promoted.",
            )
        return await self._flip(active_model(row), even_incomplete=even_incomplete)

    async def drop(self, said: str) -> str:
        """Forget all that a model has made, and return its name.

        Raises InvalidArgument for the one that answers. What only it was to do goes over to that.
        """
        async with AsyncSession(self.engine) as session, session.begin():
            await session.execute(LOCK)
            row = await row_named(session, said, retired=True)
            if row.state == ModelState.ACTIVE:
                raise InvalidArgument(
                    ("name",),
                    f"{row.name} answers; promote another model first, or roll back to one.",
                )
            was_live = row.state in LIVE
            row.state = ModelState.RETIRED
            model = active_model(row)
        if was_live:
            await asyncio.sleep(self.notice_seconds)
        # What takes long goes first, while nothing is locked.
        for statement in FORGET:
            async with self.engine.begin() as connection:
                await connection.execute(statement, {"model": model.id})

        async def remove() -> None:
            async with AsyncSession(self.engine) as session, session.begin():
                await session.execute(LOCK)
                row, active = await session.get_one(ModelRow, model.id), await active_row(session)
                if row.state != ModelState.RETIRED:
                    # Somebody has added it again in the meantime.
                    return
                if active is not None:
                    await reassign(session, model, active_model(active))
                for statement in (*FORGET, FORGET_SEARCHES):
                    await session.execute(statement, {"model": model.id, "name": model.name})
                await session.execute(PATIENCE)
                await session.execute(text(f"DROP TABLE IF EXISTS {model.partition}"))

        await _promptly(remove)
        return model.name

    async def _flip(self, model: ActiveModel, *, even_incomplete: bool) -> LiveModel:
        # A picture may have come in just as the model was added, without work of it.
        async with self.engine.begin() as connection:
            await connection.execute(FILL, {"model": model.id})
        async with AsyncSession(self.engine) as session, session.begin():
            await session.execute(LOCK)
            row = await session.get_one(ModelRow, model.id)
            if row.state != ModelState.READY:
                raise InvalidArgument(("name",), _why_not(row))
            await _demand_complete(session, row, even_incomplete=even_incomplete)
            now = datetime.now(UTC)
            before = await active_row(session)
            if before is not None:
                before.state = ModelState.READY
                before.activated_at = before.activated_at or now
                # One at a time is active.
                await session.flush()
            row.state, row.activated_at = ModelState.ACTIVE, now
            await session.flush()
            return live_model(row)


def live_model(row: ModelRow) -> LiveModel:
    """Return a row as the domain knows it."""
    model = active_model(row)
    return LiveModel(
        model.id, row.name, row.dimensions, ModelState(row.state), row.source or row.name
    )


async def _demand_complete(session: AsyncSession, row: ModelRow, *, even_incomplete: bool) -> None:
    lacking = (
        await session.execute(LACKING, {"model": row.id, "seconds": UNDER_WAY_SECONDS})
    ).one()
    if lacking.waiting:
        raise InvalidArgument(
            ("name",),
            f"{row.name} has not embedded {_pictures(lacking.waiting)} yet; let a worker finish, "
            "and try again.",
        )
    if lacking.failed and not even_incomplete:
        raise InvalidArgument(
            ("name",),
            f"{row.name} cannot embed {_pictures(lacking.failed)}, which would not be found any "
            "more; `pictograph models status` says why, and --even-incomplete promotes it all the "
            "same.",
        )


def _why_not(row: ModelRow) -> str:
    if row.state == ModelState.ACTIVE:
        return f"{row.name} answers already."
    if row.state == ModelState.BACKFILLING:
        return (
            f"{row.name} is still being filled; `pictograph models status --watch` shows how far "
            "it has got."
        )
    return f"{row.name} was dropped; `pictograph models add` brings it back."


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"


async def _promptly(change: Callable[[], Awaitable[T]]) -> T:
    """Make a change that locks tables as soon as nobody is in the way for long."""
    for _ in range(TRIES):
        try:
            return await change()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCKED:
                raise
        await asyncio.sleep(0.2)
    raise Misconfigured(
        "The tables are in use without a pause, by a backup perhaps; repeat the command later."
    )
