"""Which model a server loads at its start."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from domain.errors import Misconfigured
from infra.clip.concepts import ConceptBank, read_concepts
from infra.postgres.models.active import ActiveModel
from infra.postgres.models.concepts import PostgresConcepts
from infra.settings import read_settings
from pictograph import composition
from tests.fakes.encoder import FakeEncoder
from tests.postgres_models import AT_NEW, AT_OLD, NEW, OLD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from domain.entities.embeddings import Embedding
    from infra.settings import Settings
    from tests.postgres_models import PostgresModelLibrary


async def test_a_server_that_starts_during_a_promotion_loads_the_promoted_model(
    library: PostgresModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.upload()
    await library.add_ready()
    sources = []

    @asynccontextmanager
    async def loading(_: object, source: str) -> AsyncIterator[SimpleNamespace]:
        sources.append(source)
        if source == AT_OLD:
            await library.use_cases.promote(NEW.name)
        yield SimpleNamespace(model=OLD if source == AT_OLD else NEW, check=None)

    monkeypatch.setattr(composition, "open_encoder", loading)
    monkeypatch.setattr(composition, "compose", lambda _, stored, *__: stored)
    nothing: Any = None  # the other adapters are not used here
    shared = composition.Shared(read_settings(), library.engine, *[nothing] * 4)
    async with shared.load_model(None, nothing) as loaded:
        stored: Any = loaded.use_cases
        assert (NEW.name, AT_NEW) == (stored.name, stored.source)
    assert [AT_OLD, AT_NEW] == sources


class OtherEncoder(FakeEncoder):
    """Computes other embeddings than the fake, as OpenVINO or as torch."""

    def __init__(self, engine: str) -> None:
        super().__init__(name=OLD.name, dimensions=OLD.dimensions)
        self.engine = SimpleNamespace(name=engine)
        self.check = None

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        return [embedding[::-1] for embedding in await super().encode_texts(texts)]


@pytest.mark.parametrize(
    ("engine", "outcome"),
    [
        ("auto", ["openvino", "torch"]),
        ("torch", ["torch"]),
        ("openvino", "PICTOGRAPH_ENGINE to auto or to torch"),
    ],
)
async def test_torch_runs_a_model_of_which_the_library_has_other_embeddings(
    library: PostgresModelLibrary,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    engine: str,
    outcome: list[str] | str,
) -> None:
    opened = []

    @asynccontextmanager
    async def opening(settings: Settings, _: object) -> AsyncIterator[OtherEncoder]:
        opened.append("torch" if settings.engine == "torch" else "openvino")
        yield OtherEncoder(opened[-1])

    monkeypatch.setattr(composition, "open_encoder", opening)
    monkeypatch.setattr(composition, "compose", lambda _, stored, *__: stored)
    nothing: Any = None  # the other adapters are not used here
    settings = read_settings().model_copy(update={"engine": engine})
    shared = composition.Shared(settings, library.engine, *[nothing] * 4)
    async with shared.load_model(None, nothing) as loaded:
        stored: Any = loaded.use_cases
    assert "" == caplog.text
    active = ActiveModel(stored.id, stored.name, stored.dimensions)
    fake = FakeEncoder(name=OLD.name, dimensions=OLD.dimensions)
    await ConceptBank(fake, PostgresConcepts(library.engine, active), read_concepts())()

    opened.clear()
    if isinstance(outcome, str):
        with pytest.raises(Misconfigured, match=outcome):
            async with shared.load_model(None, nothing):
                pass
        return
    async with shared.load_model(None, nothing):
        assert outcome == opened
    assert "computes other embeddings than those that the library has" in caplog.text
