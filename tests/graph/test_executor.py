"""The fast path for plain fields: everything is as with the stock executor."""

import asyncio
import gc
from collections.abc import Generator, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import strawberry
from graphql import ExecutionResult, execute, parse
from graphql.execution.collect_fields import FieldDetails
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as StockExecutor

from graph.schema.executor import PlainFieldExecutor
from tests.graph.random_schemas import VARIABLE_VALUES, Library, Make, Sizes

QUERIES_OF_A_SCHEMA = 4
"""Building a schema takes longer than executing a few queries."""

SIZES = st.builds(
    Sizes,
    types=st.integers(1, 3),
    fields=st.integers(1, 6),
    items=st.integers(1, 5),
    selections=st.integers(1, 8),
    depth=st.integers(1, 4),
    misfits=st.sampled_from((0, 0.01, 0.03, 0.1)),
)


def run(library: Library, query: str, root: Make, executor: type[StockExecutor]) -> Any:  # noqa: ANN401 - JSON
    """Execute a query, and return the whole result."""

    async def work() -> ExecutionResult:
        result = execute(
            library.schema._schema,  # noqa: SLF001 - Strawberry has no other way
            parse(query),
            root_value=root(),
            variable_values=VARIABLE_VALUES,
            executor_class=executor,
            is_awaitable=cast("Any", optimized_is_awaitable),
        )
        return result if isinstance(result, ExecutionResult) else await result

    return asyncio.run(work()).formatted


@pytest.fixture
def _abandoned() -> Iterator[None]:
    """Collect what the executors abandon, so that no later test hears of it."""
    yield
    gc.collect()


# Coroutines beside an error are abandoned by the stock executor, too.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("_abandoned")
# Hypothesis draws the sizes and a seed: to draw every choice takes far longer than the execution.
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(sizes=SIZES, seed=st.integers(0, 2**32))
def test_every_result_is_that_of_the_stock_executor(sizes: Sizes, seed: int) -> None:
    library = Library(Random(seed), sizes)
    for _ in range(QUERIES_OF_A_SCHEMA):
        query, root = library.query(), library.root()
        expected = run(library, query, root, StockExecutor)
        result = run(library, query, root, PlainFieldExecutor)
        # The text also shows the order of keys, and nan equals nan.
        assert repr(expected) == repr(result)


@strawberry.type
class Part:
    """A type whose fields are attributes."""

    number: int


@strawberry.type
class Root:
    """The root type."""

    parts: list[Part | None]


class Special(Part):
    """A subclass of the type."""


class PartError(Exception):
    """An exception that has the attribute of the type."""

    number = 2


class LaterPart:
    """An awaitable that has the attribute of the type."""

    number = 3

    def __await__(self) -> Generator[None, None, Part]:
        """Return another object."""
        yield from asyncio.sleep(0).__await__()
        return Part(number=4)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(number=1), {"number": 1}),
        (Special(number=1), {"number": 1}),
        (SimpleNamespace(number=1), {"number": 1}),
        (PartError(), None),
        (LaterPart(), {"number": 4}),
        (None, None),
    ],
)
async def test_an_object_of_an_unexpected_class_is_completed_as_usual(
    part: Part | None, expected: object
) -> None:
    schema = strawberry.Schema(Root, execution_context_class=PlainFieldExecutor)
    root = Root(parts=[Part(number=0), part])
    result = await schema.execute("{ parts { number } }", root_value=root)
    assert {"parts": [{"number": 0}, expected]} == result.data


def test_a_subscription_keeps_nothing_of_its_events() -> None:
    schema = strawberry.Schema(Root)._schema  # noqa: SLF001 - Strawberry has no other way
    executor = PlainFieldExecutor.build(schema, parse("{ parts { number } }"))
    assert isinstance(executor, PlainFieldExecutor)

    def number_of_fields_after(events: int) -> int:
        for number in range(events):
            event = executor.build_per_event_executor(Root(parts=[Part(number=number)]))
            result = cast("ExecutionResult", event.execute_operation(serially=False))
            assert {"parts": [{"number": number}]} == result.data
        gc.collect()
        return sum(type(each) is FieldDetails for each in gc.get_objects())

    assert number_of_fields_after(1) == number_of_fields_after(10)
