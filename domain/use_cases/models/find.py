"""Finding the model that a user names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import InvalidArgument, Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.models import StoredModel
    from domain.ports import Models


@dataclass(frozen=True, slots=True)
class FindModel:
    """Return the live model of a name, an unambiguous beginning of one, or a source.

    Raises InvalidArgument, also for a model that was dropped.
    """

    models: Models

    async def __call__(self, name: str) -> StoredModel:
        model = find_model(await self.models.list(), name)
        if not model.is_live:
            raise model_was_dropped(model)
        return model


def find_model(
    models: Sequence[StoredModel], name: str, *, list_retired: bool = False
) -> StoredModel:
    """Return the model of a name, an unambiguous beginning of one, or a source.

    Live models come first: a RETIRED one is found only if no live one matches. Raises
    InvalidArgument, with the live models or, on ``list_retired``, with all models in the sentence.
    """
    live = [model for model in models if model.is_live]
    for candidates in (live, models):
        for matches in (
            [model for model in candidates if name in {model.name, model.source}],
            [model for model in candidates if model.name.startswith(name)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise InvalidArgument(
                    ("name",), f"{name} can be {_listed(matches)}; write more of the name."
                )
    listed = models if list_retired else live
    known = f"there are {_listed(listed)}" if listed else "the library has no model"
    raise InvalidArgument(("name",), f"No model of the library is called {name}; {known}.")


def model_was_dropped(model: StoredModel) -> InvalidArgument:
    """Return the refusal for a RETIRED model."""
    refusal = InvalidArgument(("name",), f"{model.name} was dropped.")
    refusal.remedy = Remedy.ADD_MODEL
    return refusal


def active_model(models: Sequence[StoredModel]) -> StoredModel | None:
    """Return the ACTIVE model; None in a library that has none yet."""
    return next((model for model in models if model.is_active), None)


def model_with_id(models: Sequence[StoredModel], model_id: int) -> StoredModel:
    """Return the model with this id. Rows of models are never deleted."""
    return next(model for model in models if model.id == model_id)


def _listed(models: Sequence[StoredModel]) -> str:
    *others, last = [
        f"{model.name} ({model.dimensions} dimensions, {model.state})" for model in models
    ]
    return f"{', '.join(others)} and {last}" if others else last
