"""The schema, and what guards every operation on it over HTTP and WebSocket alike."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from graph.schema.context import Context
from graph.schema.cost import MAX_QUERY_BYTES, MAX_TOKENS, excess
from graph.schema.descriptions import describe_types
from graph.schema.errors import MAX_ERRORS, present
from graph.schema.mutations import Mutation
from graph.schema.queries import Query
from graph.schema.scalars import SCALARS
from graph.schema.subscriptions import Subscription

KEPT_CHARACTERS = 400_000
"""Of queries whose parsed form is kept, which takes about a hundred bytes for each."""

ANY_TYPE = tuple(OperationType)
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


class Documents:
    """The valid documents seen last, parsed."""

    def __init__(self, most: int = KEPT_CHARACTERS) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()

    def recall(self, query: str) -> DocumentNode | None:
        """Return a document that was valid."""
        if query in self._kept:
            self._kept.move_to_end(query)
        return self._kept.get(query)

    def keep(self, query: str, document: DocumentNode) -> None:
        """Keep a valid document, and forget those that were not asked for the longest."""
        if self._kept.setdefault(query, document) is document:
            self._size += len(query)
        while self._size > self._most:
            self._size -= len(self._kept.popitem(last=False)[0])


class Deadline(SchemaExtension):
    """Hands on what was parsed and validated already, and bounds the time of execution.

    A subscription waits for as long as it takes; the work on each of its results is bounded where
    they are streamed.
    """

    def on_parse(self) -> Iterator[None]:
        """Take the document as it is: it was valid when it got here."""
        self.execution_context.graphql_document = self.execution_context.context.document
        self.execution_context.pre_execution_errors = []
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Give the operation its time and no more."""
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        seconds = self.execution_context.context.seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise _too_long(seconds) from None


class Schema(strawberry.Schema):
    """Strawberry's schema: bounded before it is executed, with errors that are fit for clients."""

    def __init__(self) -> None:
        """Build the types once; requests share them."""
        config = StrawberryConfig(scalar_map=SCALARS)
        super().__init__(Query, Mutation, Subscription, extensions=[Deadline], config=config)
        describe_types(self._schema)
        self._documents = Documents()

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing here: clients' mistakes are none of ours, and bugs are logged below."""

    # Any: Strawberry's own signatures, handed on.
    async def execute(  # type: ignore[override]
        self,
        query: str,
        *,
        context_value: Context,
        operation_name: str | None = None,
        variable_values: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] = ANY_TYPE,
        **kwargs: Any,  # noqa: ANN401
    ) -> ExecutionResult:
        """Execute one operation. Raises InvalidOperationTypeError for one that is not allowed."""
        try:
            context_value.document = self._document(
                query, operation_name, variables=variable_values, allowed=allowed_operation_types
            )
        except _Refused as refused:
            return refused.result
        result = await super().execute(
            query,
            context_value=context_value,
            operation_name=operation_name,
            variable_values=variable_values,
            **kwargs,
        )
        return _presented(result, context_value)

    async def stream(  # type: ignore[override]
        self,
        query: str,
        *,
        context_value: Context,
        operation_name: str | None = None,
        variable_values: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] = ANY_TYPE,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncGenerator[ExecutionResult]:
        """Execute one operation, of many that a connection may carry, and yield its results.

        Raises InvalidOperationTypeError for one that is not allowed.
        """
        context = context_value.renewed()
        try:
            context.document = self._document(
                query, operation_name, variables=variable_values, allowed=allowed_operation_types
            )
        except _Refused as refused:
            return _only(refused.result)
        results = await super().stream(
            query,
            context_value=context,
            operation_name=operation_name,
            variable_values=variable_values,
            **kwargs,
        )
        return _each_presented(results, context)

    def _document(
        self,
        query: str,
        operation_name: str | None,
        *,
        variables: dict[str, Any] | None,
        allowed: Iterable[OperationType] = ANY_TYPE,
    ) -> DocumentNode:
        """Return the query parsed and valid. Raises _Refused or InvalidOperationTypeError.

        Strawberry's hooks would be the place, but errors in them end a WebSocket operation
        without a word. Measured before it is validated: the standard rules are slow on what is
        made to be slow.
        """
        known = self._documents.recall(query)
        document = known or _parsed(query)
        operation = get_operation_ast(document, operation_name)
        if operation and (kind := OperationType(operation.operation.value)) not in allowed:
            raise InvalidOperationTypeError(kind)
        if too_much := excess(document, variables):
            raise _Refused(too_much)
        if known is None:
            if wrong := validate(self._schema, document, RULES, max_errors=MAX_ERRORS):
                raise _Refused(*wrong[:MAX_ERRORS])
            self._documents.keep(query, document)
        if operation is None:
            raise _Refused(GraphQLError("`operationName` has to name one operation of the query."))
        return document


class _Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request error: nothing is executed."""

    def __init__(self, *errors: GraphQLError) -> None:
        self.result = PreExecutionError(data=None, errors=list(errors))


def print_schema() -> str:
    """Return the schema in GraphQL's schema language."""
    return Schema().as_str().strip()


def _parsed(query: str) -> DocumentNode:
    if len(query.encode()) > MAX_QUERY_BYTES:
        message = f"The query has over {MAX_QUERY_BYTES:,} bytes; ask in several requests."
        raise _Refused(GraphQLError(message, extensions={"code": "QUERY_TOO_LARGE"}))
    try:
        return parse(query, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        raise _Refused(error) from None


def _too_long(seconds: float) -> GraphQLError:
    return GraphQLError(
        f"The request took longer than {seconds:g} s; ask for less at once.",
        extensions={"code": "TIMEOUT"},
    )


async def _only(result: ExecutionResult) -> AsyncGenerator[ExecutionResult]:
    yield result


async def _each_presented(
    results: AsyncGenerator[Any], context: Context
) -> AsyncGenerator[ExecutionResult]:
    """Yield results fit for clients, each in its time; a subscription says when that runs."""
    async with aclosing(results):
        while True:
            try:
                async with asyncio.timeout(context.seconds) as context.deadline:
                    result = await anext(results)
            except StopAsyncIteration:
                return
            except TimeoutError:
                yield ExecutionResult(data=None, errors=[_too_long(context.seconds)])
                return
            yield _presented(result, context)


def _presented(result: ExecutionResult, context: Context) -> ExecutionResult:
    if result.errors:
        result.errors = present(result.errors, caller=context.caller, request_id=context.request_id)
    return result
