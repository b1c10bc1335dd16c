"""A change of the active model, before, during and after requests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from domain.entities.keys import Caller
from domain.entities.models import KnownModel, ModelState
from graph.http.app import create_app
from graph.schema.context import Context
from tests.fakes.encoder import COLOURS, FakeEncoder
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.multipart_requests import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from domain import UseCases

PAGE = """
query ($after: String) {
  searchImages(by: {text: "red"}, first: 2, after: $after) {
    pageInfo { endCursor } nodes { id } edges { relevance } relevantCount explain { model plan }
  }
}
"""


class ModelSwitch:
    """Returns the use cases of one model, and of another one once it is on."""

    def __init__(self, backend: FakeBackend) -> None:
        self.before = backend.use_cases()
        self.encoder = FakeEncoder(name="another")
        search = self.before.search
        scorer = replace(search.score, model=self.encoder.model)
        query_encoder = replace(search.encode_query, encoder=self.encoder)
        self.after = replace(
            self.before,
            search=replace(
                search, score=scorer, encode_query=query_encoder, search_of={"fake": search}.get
            ),
            describe=replace(self.before.describe, encoder=self.encoder),
        )
        self.taken = 0
        self.is_on = False

    def __call__(self) -> UseCases:
        self.taken += 1
        return self.after if self.is_on else self.before


@pytest.fixture
def switch(backend: FakeBackend) -> ModelSwitch:
    return ModelSwitch(backend)


@pytest.fixture
async def client(switch: ModelSwitch) -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(app=create_app(switch))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        client = Client(http)
        await client.upload(*(picture_file(rgb) for rgb in list(COLOURS.values())[:5]))
        yield client


async def test_a_search_of_the_previous_model_can_be_paged_after_the_change(
    client: Client, switch: ModelSwitch
) -> None:
    first = (await client.data(PAGE))["searchImages"]
    expected = await client.data(PAGE, after=first["pageInfo"]["endCursor"])
    switch.is_on = True
    assert expected == await client.data(PAGE, after=first["pageInfo"]["endCursor"])
    assert "fake" == expected["searchImages"]["explain"]["model"]
    assert "another" == (await client.data(PAGE))["searchImages"]["explain"]["model"]


async def test_the_model_does_not_change_within_a_request(
    client: Client, switch: ModelSwitch, backend: FakeBackend
) -> None:
    search = backend.catalog.search

    async def flipping(*args: object, **more: object) -> object:
        switch.is_on = True
        return await search(*args, **more)  # type: ignore[arg-type]  # as it is called

    backend.catalog.search = flipping  # type: ignore[method-assign,assignment]
    asked = """{
      a: searchImages(by: {text: "red"}) { explain { model } }
      b: searchImages(by: {text: "blue"}) { explain { model } }
      service { model { name } }
    }"""
    for model in ("fake", "another"):
        response = await client.data(asked)
        assert [model] * 2 == [response[name]["explain"]["model"] for name in "ab"]
        assert model == response["service"]["model"]["name"]


async def test_a_connection_holds_no_model_and_each_operation_holds_one(
    switch: ModelSwitch,
) -> None:
    connection = Context(switch, Caller(frozenset()), "1", "http://pictures.test")
    operation = connection.for_operation()
    assert 0 == switch.taken
    assert switch.before is operation.use_cases
    switch.is_on = True
    assert switch.before is operation.use_cases
    assert switch.after is connection.for_operation().use_cases
    operation.start_result()
    assert switch.after is operation.use_cases


async def test_models_have_their_states(client: Client, backend: FakeBackend) -> None:
    async def models() -> Sequence[KnownModel]:
        return [KnownModel(state.value, 3, state, place) for place, state in enumerate(ModelState)]

    backend.catalog.known = models  # type: ignore[method-assign]
    listed = await client.data("{ models { name state embeddedCount } }", key=KEY)
    assert [
        {"name": state.value, "state": state.name, "embeddedCount": place}
        for place, state in enumerate(ModelState)
    ] == listed["models"]
