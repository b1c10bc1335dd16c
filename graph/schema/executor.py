"""An executor with a fast path for plain fields: attributes of an object, without a resolver."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

from graphql import (
    ExecutionResult,
    ExperimentalIncrementalExecutionResults,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLIncludeDirective,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSkipDirective,
    GraphQLString,
    get_nullable_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.pyutils import AwaitableOrValue, Path, RefMap
from graphql.type import GraphQLLeafType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.field import StrawberryField

JSON_CLASSES = frozenset({str, int, float, bool})
"""The classes of a completed leaf value."""

LEAF_CLASSES = JSON_CLASSES | {datetime}
"""The classes of leaf values. An enum's own class is added. None is awaitable or an exception."""

UNCHANGED_CLASSES = {GraphQLString: {str}, GraphQLID: {str}, GraphQLBoolean: {bool}}
"""The classes of values that a scalar completes to themselves."""

CACHE_SIZE = 1_000
"""How many fields and leaf types are remembered. The schema has fewer."""

COLLECTED_DIRECTIVES = {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}
"""Directives that are applied before fields are executed."""

# Any: a resolver may return everything, and the completed value is any JSON.
Result: TypeAlias = ExecutionResult | ExperimentalIncrementalExecutionResults

Completer: TypeAlias = Callable[[Any], Any]
"""Completes a value as the GraphQL specification says. Raises UnusualValue or another exception
for null and for each value that only the stock executor can complete."""


class UnusualValue(Exception):  # noqa: N818 - no error: the stock executor completes it
    """A value of a plain field that only the stock executor can complete."""


class PlainAttribute(NamedTuple):
    """An attribute that is the value of a field."""

    name: str
    field_type: GraphQLOutputType
    is_nullable: bool
    unchanged: frozenset[type]
    """Classes of values that need no completion."""


class PlainField(NamedTuple):
    """A selected field whose value is an attribute of its object."""

    response_name: str
    attribute: str
    is_nullable: bool
    unchanged: frozenset[type]
    complete: Completer


class Selection(NamedTuple):
    """The selected fields of an object."""

    plain: Sequence[PlainField]
    others: GroupedFieldSet


class PlainFieldExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor with a fast path for plain fields.

    The stock executor makes a path and a description for every field and every list item. The fast
    path reads attributes and completes them. It handles only what is sure to succeed: an object
    with an error, a missing value, an awaitable or an unexpected class is executed again, by the
    stock executor. So both give the same data and errors where reading an attribute has no effect.
    """

    def execute_operation(self, serially: bool | None = None) -> AwaitableOrValue[Result]:  # noqa: FBT001 - the stock executor's argument
        """Execute an operation, or one event of a subscription, with plans of its own.

        The stock executor collects the fields anew for each event of a subscription. Its memo of
        them would grow until the subscription ends.
        """
        self._relevant_sub_fields = {}
        self._has_middleware = bool(self.middleware_manager and self.middleware_manager.middlewares)
        self._selections: RefMap[GroupedFieldSet, Selection] = RefMap()
        # Keyed by the identities of the type and of the list, which the value keeps alive.
        self._completers: dict[
            tuple[int, int], tuple[GraphQLOutputType, FieldDetailsList, Completer | None]
        ] = {}
        return super().execute_operation(serially)

    # Any: the stock executor's own signatures, passed on.
    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,  # noqa: ANN401
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,  # noqa: ANN401
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Execute the selected fields of an object."""
        plain, others = self._selection(parent_type, grouped_field_set)
        try:
            values = _completed_fields(plain, source_value)
        except Exception:  # noqa: BLE001 - the stock executor meets it again and reports it
            values, others = {}, grouped_field_set
        if not others:
            return values
        rest = super().execute_fields(parent_type, source_value, path, others, position_context)
        if not values:
            return rest
        if self.is_awaitable(rest):
            return _merged_later(grouped_field_set, values, rest)
        return _merged(grouped_field_set, values, cast("dict[str, Any]", rest))

    def complete_list_value(  # noqa: PLR0913, PLR0917 - the stock executor's arguments
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,  # noqa: ANN401
        position_context: Any,  # noqa: ANN401
    ) -> AwaitableOrValue[list[Any]]:
        """Complete a list that a resolver returned."""
        complete = self._completer(return_type, field_details_list)
        if complete:
            # The stock executor meets an error again and reports it.
            with suppress(Exception):
                completed: list[Any] = complete(result)
                return completed
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def _selection(
        self, parent_type: GraphQLObjectType, grouped_field_set: GroupedFieldSet
    ) -> Selection:
        selection: Selection | None = self._selections.get(grouped_field_set)
        if selection is None:
            plain = {
                name: field
                for name, fields in grouped_field_set.items()
                if (field := self._plain_field(parent_type, name, fields))
            }
            others = {n: each for n, each in grouped_field_set.items() if n not in plain}
            selection = Selection(tuple(plain.values()), others)
            self._selections[grouped_field_set] = selection
        return selection

    def _plain_field(
        self, parent_type: GraphQLObjectType, response_name: str, fields: FieldDetailsList
    ) -> PlainField | None:
        plain = _plain_attribute(parent_type, fields[0].node.name.value)
        if plain is None or self._has_middleware:
            return None
        complete = self._completer(plain.field_type, fields)
        if complete is None:
            return None
        return PlainField(response_name, plain.name, plain.is_nullable, plain.unchanged, complete)

    def _completer(
        self, return_type: GraphQLOutputType, fields: FieldDetailsList
    ) -> Completer | None:
        key = (id(return_type), id(fields))
        if key not in self._completers:
            complete = self._new_completer(return_type, fields)
            self._completers[key] = (return_type, fields, complete)
        return self._completers[key][2]

    def _new_completer(
        self, return_type: GraphQLOutputType, fields: FieldDetailsList
    ) -> Completer | None:
        """Return what completes a value that is not null; None where that needs a path."""
        directives = fields[0].node.directives
        if directives and any(d.name.value not in COLLECTED_DIRECTIVES for d in directives):
            return None
        type_ = get_nullable_type(return_type)
        if isinstance(type_, GraphQLScalarType | CustomGraphQLEnumType):
            return _leaf_completer(type_)
        if isinstance(type_, GraphQLList):
            complete_item = self._completer(type_.of_type, fields)
            return complete_item and _list_completer(type_.of_type, complete_item)
        if isinstance(type_, GraphQLObjectType):
            return self._object_completer(type_, fields)
        return None

    def _object_completer(
        self, type_: GraphQLObjectType, fields: FieldDetailsList
    ) -> Completer | None:
        try:
            collected = self.collect_subfields(type_, fields)
        except GraphQLError:
            # A condition of a directive is null. That is an error of each object, if there is one.
            return None
        plain, others = self._selection(type_, collected.grouped_field_set)
        definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if others or collected.new_defer_usages or definition is None or definition.is_type_of:
            return None
        origin, is_type_of = definition.origin, type_.is_type_of
        if issubclass(origin, Exception) or hasattr(origin, "__await__"):
            return None

        def complete(value: Any) -> dict[str, Any]:  # noqa: ANN401
            # Strawberry's own is_type_of reads no info.
            if type(value) is not origin or (is_type_of and not is_type_of(value, None)):  # type: ignore[arg-type]
                raise UnusualValue
            return _completed_fields(plain, value)

        return complete


@lru_cache(maxsize=CACHE_SIZE)
def _plain_attribute(parent_type: GraphQLObjectType, field_name: str) -> PlainAttribute | None:
    """Return the attribute that Strawberry's default resolver reads; None for other resolvers."""
    definition = parent_type.fields.get(field_name)
    field = definition and definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    # A subclass may read its value in another way.
    if definition is None or type(field) is not StrawberryField:
        return None
    if not field.is_basic_field or field.default_resolver is not getattr:
        return None
    type_ = get_nullable_type(definition.type)
    unchanged = frozenset(UNCHANGED_CLASSES.get(type_, ()))  # type: ignore[call-overload]
    is_nullable = type_ is definition.type
    return PlainAttribute(field.python_name, definition.type, is_nullable, unchanged)


def _completed_fields(fields: Sequence[PlainField], source: object) -> dict[str, Any]:
    """Return the completed values by response name. Raises where one is not plain."""
    values: dict[str, Any] = {}
    for response_name, attribute, is_nullable, unchanged, complete in fields:
        value = getattr(source, attribute)
        if type(value) in unchanged:
            values[response_name] = value
        elif value is None and is_nullable:
            values[response_name] = None
        else:
            values[response_name] = complete(value)
    return values


@lru_cache(maxsize=CACHE_SIZE)
def _leaf_completer(type_: GraphQLLeafType) -> Completer:
    classes, convert = LEAF_CLASSES, type_.coerce_output_value
    if isinstance(type_, CustomGraphQLEnumType):
        classes |= {type_.wrapped_cls}

    def complete(value: Any) -> Any:  # noqa: ANN401
        if type(value) in classes:
            completed = convert(value)
            if type(completed) in JSON_CLASSES:
                return completed
        raise UnusualValue

    return complete


def _list_completer(item_type: GraphQLOutputType, complete_item: Completer) -> Completer:
    is_nullable = get_nullable_type(item_type) is item_type

    def complete(values: Any) -> list[Any]:  # noqa: ANN401
        if type(values) is not list:
            raise UnusualValue
        return [None if value is None and is_nullable else complete_item(value) for value in values]

    return complete


async def _merged_later(
    order: GroupedFieldSet, values: dict[str, Any], rest: Awaitable[dict[str, Any]]
) -> dict[str, Any]:
    return _merged(order, values, await rest)


def _merged(order: GroupedFieldSet, values: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return two parts of an object in the order of its selection. Unknown fields are in none."""
    both = values | rest
    return {name: both[name] for name in order if name in both}
