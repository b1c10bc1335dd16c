"""Stored tables of scan parameters, one for each model, and the one that searches use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from domain.entities.scans import QueryShape, ScanParameters, ScanRow, ScanTable, Tuning
from infra.postgres.repeatable import fetch_rows
from infra.postgres.tables import ScanTableRow
from infra.postgres.vectors.default_scans import DEFAULT_SCANS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.postgres.models.active import ActiveModel


@dataclass(frozen=True, slots=True)
class PostgresScanTables:
    """The table of one model."""

    engine: AsyncEngine
    model: ActiveModel

    async def load(self) -> ScanTable | None:
        statement = select(ScanTableRow.__table__).where(self._is_of_model)  # type: ignore[attr-defined] # SQLModel's
        rows = await fetch_rows(self.engine, statement)
        return _table_of(rows[0]) if rows else None

    async def save(self, table: ScanTable) -> None:
        assert table.tuning is not None  # noqa: S101 - the default table is not stored
        values = {
            "model_id": self.model.id,
            "tuned_at": table.tuning.tuned_at,
            "target_recall": table.tuning.target_recall,
            "images": table.tuning.images,
            "scans": [asdict(row) for row in table.rows],
        }
        statement = insert(ScanTableRow).values(values)
        async with self.engine.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["model_id"], set_=values)
            )

    async def reset(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(delete(ScanTableRow).where(self._is_of_model))

    @property
    def _is_of_model(self) -> Any:  # noqa: ANN401 - SQLModel's
        return col(ScanTableRow.model_id) == self.model.id


class ScanTableInUse:
    """The table that the searches of a process use for one model: the stored or the default one."""

    def __init__(self, table: ScanTable = DEFAULT_SCANS) -> None:
        self.table = table

    async def refresh(self, tables: PostgresScanTables) -> None:
        """Read the stored table again."""
        self.table = await tables.load() or DEFAULT_SCANS


def _table_of(row: Any) -> ScanTable:  # noqa: ANN401 - a row by the names of its columns
    return ScanTable(
        tuple(map(_row_of, row.scans)),
        tuning=Tuning(row.tuned_at, row.target_recall, row.images),
    )


def _row_of(stored: Mapping[str, Any]) -> ScanRow:
    values = dict(stored)
    values["shape"] = QueryShape(values["shape"])
    values["parameters"] = ScanParameters(**values["parameters"])
    return ScanRow(**values)
