"""The schema, with the limits and the error masking of every operation."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql import OperationType as GraphQLOperationType
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from domain.entities.keys import Scope
from domain.errors import Unauthorized
from domain.use_cases.access import demand
from graph.schema.codes import ErrorCode
from graph.schema.context import Context
from graph.schema.cost import LIMITS, MAX_QUERY_BYTES, MAX_TOKENS, Pricing
from graph.schema.descriptions import add_descriptions
from graph.schema.document_cache import DocumentCache
from graph.schema.errors import MAX_ERRORS, coded, mask_errors
from graph.schema.executor import PlainFieldExecutor
from graph.schema.mutations import Mutation
from graph.schema.queries import Query
from graph.schema.scalars import SCALARS
from graph.schema.subscriptions import Subscription

ALL_OPERATION_TYPES = tuple(OperationType)
VALIDATION_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


class OperationTimeout(SchemaExtension):
    """Limits the execution time of queries and mutations, and passes on the validated document.

    A subscription may wait for any time. Its results are timed where they are streamed.
    """

    def on_parse(self) -> Iterator[None]:
        """Use the document that ``Schema`` has parsed and validated already."""
        self.execution_context.graphql_document = self.execution_context.context.document
        self.execution_context.pre_execution_errors = []
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Cancel the execution after the operation's time limit."""
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        seconds = self.execution_context.context.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise _timeout_error(seconds) from None


class Schema(strawberry.Schema):
    """Strawberry's schema with limits before the execution and masked errors after it."""

    def __init__(self) -> None:
        """Build the types once; all requests share them."""
        config = StrawberryConfig(scalar_map=SCALARS)
        super().__init__(
            Query,
            Mutation,
            Subscription,
            extensions=[OperationTimeout],
            config=config,
            execution_context_class=PlainFieldExecutor,
        )
        add_descriptions(self._schema)
        self.pricing = Pricing(self._schema)
        self._documents = DocumentCache()

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing: ``mask_errors`` logs bugs, and mistakes of clients are not logged."""

    def may_use_files(
        self,
        query: str,
        *,
        context_value: Context,
        operation_name: str | None,
        variable_values: dict[str, Any] | None,
        allowed_operation_types: Iterable[OperationType],
    ) -> bool:
        """Tell whether an operation is valid and its caller has the scope for its files.

        Otherwise ``execute`` refuses it before it reads a file.
        """
        try:
            document = self._validated(
                query,
                operation_name,
                variables=variable_values,
                allowed=allowed_operation_types,
                context=context_value,
            )
            operation = get_operation_ast(document, operation_name)
            is_mutation = operation and operation.operation is GraphQLOperationType.MUTATION
            demand(context_value.caller, Scope.WRITE if is_mutation else Scope.READ)
        except (_RequestError, InvalidOperationTypeError, Unauthorized):
            return False
        return True

    # Any: Strawberry's own signatures, passed on.
    async def execute(  # type: ignore[override]
        self,
        query: str,
        *,
        context_value: Context,
        operation_name: str | None = None,
        variable_values: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] = ALL_OPERATION_TYPES,
        **kwargs: Any,  # noqa: ANN401
    ) -> ExecutionResult:
        """Execute one operation. Raises InvalidOperationTypeError."""
        try:
            context_value.document = self._validated(
                query,
                operation_name,
                variables=variable_values,
                allowed=allowed_operation_types,
                context=context_value,
            )
        except _RequestError as error:
            return _with_cost(error.result, context_value)
        try:
            result = await super().execute(
                query,
                context_value=context_value,
                operation_name=operation_name,
                variable_values=variable_values,
                **kwargs,
            )
        except asyncio.CancelledError as cancelled:
            result = _failure(cancelled)
        return _masked(result, context_value)

    async def stream(  # type: ignore[override]
        self,
        query: str,
        *,
        context_value: Context,
        operation_name: str | None = None,
        variable_values: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] = ALL_OPERATION_TYPES,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncGenerator[ExecutionResult]:
        """Execute one of the operations of a connection, and yield its results.

        Raises InvalidOperationTypeError.
        """
        context = context_value.for_operation()
        try:
            context.document = self._validated(
                query,
                operation_name,
                variables=variable_values,
                allowed=allowed_operation_types,
                context=context,
            )
        except _RequestError as error:
            return _single(_with_cost(error.result, context))
        results = await super().stream(
            query,
            context_value=context,
            operation_name=operation_name,
            variable_values=variable_values,
            **kwargs,
        )
        return _masked_stream(results, context)

    def _validated(
        self,
        query: str,
        operation_name: str | None,
        *,
        variables: dict[str, Any] | None,
        allowed: Iterable[OperationType],
        context: Context,
    ) -> DocumentNode:
        """Return the parsed and valid document of a query.

        Raises _RequestError or InvalidOperationTypeError.
        """
        # Not in Strawberry's hooks: an error there ends a WebSocket operation without a message.
        # Limits come before validation, since the standard rules are slow on malicious queries.
        cached = self._documents.get(query)
        document = cached or _parsed(query)
        operation = get_operation_ast(document, operation_name)
        if operation and (kind := OperationType(operation.operation.value)) not in allowed:
            raise InvalidOperationTypeError(kind)
        if context.tells_cost:
            context.cost = self.pricing.cost(document, variables, operation_name)
        # The size of a valid document without variables was within the limits, and stays there.
        may_exceed = cached is None or _has_variables(document)
        if may_exceed and (error := self.pricing.limit_error(document, variables)):
            raise _RequestError(error)
        if cached is None:
            errors = validate(self._schema, document, VALIDATION_RULES, max_errors=MAX_ERRORS)
            if errors:
                code = ErrorCode.GRAPHQL_VALIDATION_FAILED
                raise _RequestError(*(coded(error, code) for error in errors[:MAX_ERRORS]))
            self._documents.put(query, document)
        if operation is None:
            raise _RequestError(
                GraphQLError(
                    "The document has several operations or none of this name; name one of its "
                    "operations in `operationName`.",
                    extensions={"code": ErrorCode.OPERATION_RESOLUTION_FAILURE},
                )
            )
        return document


class _RequestError(Exception):
    """A request error in the sense of the GraphQL specification: nothing is executed."""

    def __init__(self, *errors: GraphQLError) -> None:
        self.result = PreExecutionError(data=None, errors=list(errors))


def print_schema() -> str:
    """Return the schema in the GraphQL schema definition language."""
    return Schema().as_str().strip()


def _parsed(query: str) -> DocumentNode:
    if len(query.encode()) > MAX_QUERY_BYTES:
        message = (
            f"The query has more than {MAX_QUERY_BYTES:,} bytes; split it into several requests."
        )
        raise _RequestError(GraphQLError(message, extensions={"code": ErrorCode.QUERY_TOO_LARGE}))
    try:
        return parse(query, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        raise _RequestError(coded(error, ErrorCode.GRAPHQL_PARSE_FAILED)) from None


def _has_variables(document: DocumentNode) -> bool:
    return any(
        isinstance(each, OperationDefinitionNode) and each.variable_definitions
        for each in document.definitions
    )


def _timeout_error(seconds: float) -> GraphQLError:
    return GraphQLError(
        f"The request took longer than {seconds:g} s; ask for less in one request.",
        extensions={"code": ErrorCode.TIMEOUT},
    )


def _failure(cancelled: asyncio.CancelledError) -> ExecutionResult:
    """Return the result of an operation in which something that it awaited was cancelled.

    Raises CancelledError where the operation itself was cancelled.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise cancelled
    bug = RuntimeError("a part of the operation was cancelled")
    bug.__cause__ = cancelled
    return ExecutionResult(data=None, errors=[GraphQLError(str(bug), original_error=bug)])


async def _single(result: ExecutionResult) -> AsyncGenerator[ExecutionResult]:
    yield result


async def _masked_stream(
    results: AsyncGenerator[Any], context: Context
) -> AsyncGenerator[ExecutionResult]:
    """Yield results with masked errors, and end with a timeout error when one takes too long.

    Subscriptions pause and restart ``context.deadline``. They end where their key was revoked.
    """
    async with aclosing(results):
        for number in itertools.count():
            try:
                async with asyncio.timeout(context.timeout_seconds) as context.deadline:
                    result = await anext(results)
            except StopAsyncIteration:
                return
            except TimeoutError:
                error = _timeout_error(context.timeout_seconds)
                yield ExecutionResult(data=None, errors=[error])
                return
            except asyncio.CancelledError as cancelled:
                yield _masked(_failure(cancelled), context)
                return
            try:
                if number:
                    await context.check_key()
            except Unauthorized as refusal:
                error = coded(GraphQLError(refusal.message), ErrorCode.UNAUTHENTICATED)
                yield ExecutionResult(data=None, errors=[error])
                return
            except Exception as error:  # noqa: BLE001 - an outage ends the stream with its error
                failed = GraphQLError(str(error), original_error=error)
                yield _masked(ExecutionResult(data=None, errors=[failed]), context)
                return
            yield _masked(result, context)


def _masked(result: ExecutionResult, context: Context) -> ExecutionResult:
    if result.errors:
        result.errors = mask_errors(
            result.errors, caller=context.caller, request_id=context.request_id
        )
    return _with_cost(result, context)


def _with_cost(result: ExecutionResult, context: Context) -> ExecutionResult:
    if context.cost is not None:
        cost = {"cost": context.cost, "limit": int(LIMITS.cost)}
        result.extensions = {**(result.extensions or {}), "cost": cost}
    return result
