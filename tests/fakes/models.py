"""The models of a library in memory; tests say what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.entities.models import LIVE, LiveModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.models import ModelState


@dataclass
class MemoryModels:
    """Models by name, and those of them that were settled."""

    known: dict[str, LiveModel] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)
    broken: bool = False

    def set(self, **states: ModelState) -> None:
        """Give models a state, and make those that are new."""
        for name, state in states.items():
            new = LiveModel(len(self.known) + 1, name, 16, state, f"/models/{name}")
            self.known[name] = replace(self.known.get(name, new), state=state)

    async def live(self) -> Sequence[LiveModel]:
        if self.broken:
            raise ConnectionError
        return [model for model in self.known.values() if model.state in LIVE]

    async def finish_backfill(self, model_id: int) -> bool:
        self.settled.append(model_id)
        return True
