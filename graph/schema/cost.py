"""Limits on the size and the cost of an operation, measured before it is validated.

The cost counts what an operation can make the server do, in the time that resolving one field
takes: list sizes are at their maximum, and what scans the library or runs the model has a price.
Each fragment is measured a few times, so the time does not grow with the number of its spreads.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_operation_ast,
    is_list_type,
)
from graphql.type import GraphQLNonNull

from domain.entities.facets import MAX_FACET_VALUES
from domain.entities.images import MAX_ALT_TEXT_CHARACTERS, MAX_EXIF_TAGS, MAX_TAGS_PER_IMAGE
from domain.entities.listing import MAX_PAGE_SIZE
from domain.entities.tags import MAX_TAG_CHARACTERS
from domain.use_cases.duplicates.find_duplicates import MAX_GROUP_SIZE
from graph.schema.arguments import DEFAULT_PAGE_SIZE
from graph.schema.codes import ErrorCode
from graph.schema.context import MAX_SEARCHES
from graph.schema.ids import MAX_IDS
from graph.schema.introspection import introspection_list_sizes

MAX_QUERY_BYTES = 16_000
MAX_TOKENS = 2_000

CHARACTERS_PER_COST = 2_000
"""Sending a text of this length takes as long as resolving a field."""

ROW_COST = 10
"""Loading an image with its EXIF data takes as long as resolving some ten fields."""

GROUP_COST = 5 * ROW_COST
"""Loading the images of a group of duplicates, which counts as five images whatever is selected."""

STATEMENT_COST = 100
"""A statement occupies a connection to the database."""

SEARCH_COST = 200
"""Running the model takes as long as resolving some hundred fields."""

LIBRARY_COST = 1_500
"""What scans every image of the library takes as long: facets, each list of candidates of their
labels, duplicates, and exact searches."""

INTROSPECTION_PRICE = 3
"""The price of a field of introspection: a request has one introspection of the whole schema."""

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})

PAGE_FIELDS = frozenset(
    {"Query.images", "Query.searchImages", "Query.duplicates", "Image.similarImages"}
)
SEARCH_FIELDS = frozenset(
    {"Query.searchImages", "Query.duplicates", "Image.similarImages", "Subscription.imageMatched"}
)

OWN_COSTS: Mapping[str, int] = {
    "Query.duplicates": LIBRARY_COST,
    "Query.image": ROW_COST,
    "Query.images": STATEMENT_COST,
    "Query.models": STATEMENT_COST,
    "Query.node": ROW_COST,
    "EmbeddingModel.embeddedCount": STATEMENT_COST,
    "ImageConnection.facets": LIBRARY_COST,
    "ImageConnection.totalCount": STATEMENT_COST,
    "ImageSearchConnection.facets": LIBRARY_COST,
    "ImageSearchConnection.relevantCount": SEARCH_COST,
    "SearchExplanation.plan": SEARCH_COST,
    "SearchExplanation.recall": LIBRARY_COST,
    "Image.altText": MAX_ALT_TEXT_CHARACTERS // CHARACTERS_PER_COST,
    "Image.tags": MAX_TAGS_PER_IMAGE * MAX_TAG_CHARACTERS // CHARACTERS_PER_COST,
}
"""What a field costs besides resolving it and its selection."""

LIST_SIZES: Mapping[str, int] = {
    "DuplicateGroup.images": MAX_GROUP_SIZE,
    "Exif.all": MAX_EXIF_TAGS,
    "ImageFacets.cameras": 10,
    "ImageFacets.contentTypes": 10,
    "ImageFacets.months": 24,
    "ImageFacets.tags": 20,
    "SearchExplanation.stages": 3,
    "UploadTarget.fields": 15,
}
"""How many objects a list has at most, or without the argument ``first``."""

LIST_ARGUMENTS: Mapping[str, str] = {
    "Query.nodes": "ids",
    "Image.labels": "candidates",
    "ImageFacets.labels": "candidates",
    "Subscription.imageStatusChanged": "imageIds",
}
"""Lists with an object for each value of an argument."""


class Size(NamedTuple):
    """The size of a selection with its fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    searches: int = 0
    cost: float = 0
    """The number of resolved fields when every list is full, plus the prices of fields."""
    page_cost: float = 0
    """A cost that is paid once for the enclosing page, however many items the page has."""

    def plus(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.searches + other.searches,
            self.cost + other.cost,
            self.page_cost + other.page_cost,
        )

    def with_page_cost(self) -> "Size":
        """Return the size with its page cost added to its cost."""
        return self._replace(cost=self.cost + self.page_cost, page_cost=0)


LIMITS = Size(depth=12, fields=1_000, aliases=30, directives=50, searches=MAX_SEARCHES, cost=20_000)

MOST_TOLD = 10**9
"""The highest number that is told. The size of nested fragments may exceed every number."""

MAX_REPETITIONS = 30
"""The most selections of one response name in one object.

The standard validation rules compare each pair of them, which takes over a second for 500.
"""

LIMIT_NAMES = (*Size._fields, "repetitions")

Variables: TypeAlias = Mapping[str, object] | None


class Pricing:
    """Measures operations against the types of a schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        """Measure the introspection of ``schema`` once."""
        self._schema = schema
        self._list_sizes = {**LIST_SIZES, **introspection_list_sizes(schema)}

    def limit_error(self, document: DocumentNode, variables: Variables) -> GraphQLError | None:
        """Return an error that names the first limit that an operation exceeds, or None."""
        for node in document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            measure = self._measure(document, node, variables)
            size = (*measure.operation(node), measure.repetitions(node.selection_set))
            for name, value, limit in zip(
                LIMIT_NAMES, size, (*LIMITS, MAX_REPETITIONS), strict=True
            ):
                if value > limit:
                    return GraphQLError(
                        f"The query's {name} come to {_told(value):,}; at most "
                        f"{limit:,} are allowed. Ask for less, or split the query into several "
                        "requests.",
                        extensions={"code": ErrorCode.QUERY_TOO_LARGE},
                    )
        return None

    def cost(
        self, document: DocumentNode, variables: Variables, operation_name: str | None = None
    ) -> int:
        """Return the cost of the operation that is executed."""
        node = get_operation_ast(document, operation_name)
        if node is None:
            return 0
        return _told(self._measure(document, node, variables).operation(node).cost)

    def _measure(
        self, document: DocumentNode, node: OperationDefinitionNode, variables: Variables
    ) -> "_Measure":
        fragments = {
            fragment.name.value: fragment
            for fragment in document.definitions
            if isinstance(fragment, FragmentDefinitionNode)
        }
        values = _defaults(node) | dict(variables or {})
        return _Measure(self._schema, fragments, values, self._list_sizes)


class _Measure:
    """Measures the selections of one operation, and memoises the sizes of its fragments."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
        list_sizes: Mapping[str, float],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._list_sizes = list_sizes
        self._sizes: dict[tuple[str, int], Size] = {}
        self._name_counts: dict[str, Counter[str]] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        own = Size(directives=len(node.directives or ()))
        root = self._schema.get_root_type(node.operation)
        return self._selection(node.selection_set, root, items=1).plus(own).with_page_cost()

    def repetitions(self, selection_set: SelectionSetNode | None) -> int:
        """Return the highest number of selections of one response name in one object."""
        return max(self._names(selection_set).values(), default=1)

    def _names(self, selection_set: SelectionSetNode | None) -> Counter[str]:
        names: Counter[str] = Counter()
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                names[(node.alias or node.name).value] += self.repetitions(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                names.update(self._names_of(node.name.value))
            elif isinstance(node, InlineFragmentNode):
                names.update(self._names(node.selection_set))
        return names

    def _names_of(self, fragment_name: str) -> Counter[str]:
        if fragment_name not in self._name_counts:
            self._name_counts[fragment_name] = Counter()
            if fragment := self._fragments.get(fragment_name):
                self._name_counts[fragment_name] = self._names(fragment.selection_set)
        return self._name_counts[fragment_name]

    def _selection(
        self, selection_set: SelectionSetNode | None, parent: GraphQLNamedType | None, *, items: int
    ) -> Size:
        """Return the size of a selection on a type.

        ``items`` is how many items the page or the payload has of which the object is the outside.
        """
        total = Size()
        for node in selection_set.selections if selection_set else ():
            own = Size(directives=len(node.directives or ()))
            if isinstance(node, FieldNode):
                size = self._field(node, parent, items=items)
            elif isinstance(node, FragmentSpreadNode):
                size = self._fragment(node.name.value, items=items)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                size = self._selection(node.selection_set, inner, items=items)
            total = total.plus(size).plus(own)
        return total

    def _fragment(self, name: str, *, items: int) -> Size:
        key = (name, items)
        if key not in self._sizes:
            # Size 0 ends the recursion. Cyclic and unknown fragments fail in validation.
            self._sizes[key] = Size()
            if fragment := self._fragments.get(name):
                own = Size(directives=len(fragment.directives or ()))
                parent = self._schema.get_type(fragment.type_condition.name.value)
                inner = self._selection(fragment.selection_set, parent, items=items)
                self._sizes[key] = inner.plus(own)
        return self._sizes[key]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, *, items: int) -> Size:
        definition = None
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            definition = self._schema.get_field(parent, node.name.value)
        type_ = get_named_type(definition.type) if definition else None
        name = f"{parent.name}.{node.name.value}" if parent else node.name.value
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        is_introspection = node.name.value in INTROSPECTION_FIELDS
        is_page = name in PAGE_FIELDS
        is_mutation = parent is not None and parent is self._schema.mutation_type
        if is_page:
            items_below = self._page_size(arguments, default=DEFAULT_PAGE_SIZE)
        elif is_mutation:
            items_below = self._longest_list(arguments.values())
        else:
            items_below = 1
        inner = self._selection(node.selection_set, type_, items=items_below)
        is_list = definition is not None and is_list_type(_nullable(definition.type))
        has_many = is_list or name in LIST_ARGUMENTS
        count = (
            self._list_size(name, arguments, items) if has_many else self._list_sizes.get(name, 1)
        )
        searches = int(name in SEARCH_FIELDS or name == "SearchExplanation.recall")
        size = Size(
            # Validation limits the depth of introspection; the usual query of clients is deep.
            depth=1 if is_introspection else inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            searches=int(min(MOST_TOLD, inner.searches * count)) + searches,
            cost=inner.cost * count + 1 + self._own_cost(name, arguments, items_below, count),
            page_cost=inner.page_cost,
        )
        if is_introspection:
            return size._replace(cost=size.cost * INTROSPECTION_PRICE)
        if name == "Image.labels":
            # The labels are encoded once for all images of a page.
            return size._replace(page_cost=SEARCH_COST * count)
        return size.with_page_cost() if is_page or name == "Query.nodes" else size

    def _own_cost(
        self, name: str, arguments: Mapping[str, ValueNode], items: int, count: float
    ) -> float:
        cost = float(OWN_COSTS.get(name, 0))
        if name in SEARCH_FIELDS:
            cost += SEARCH_COST
        if name in PAGE_FIELDS:
            cost += (GROUP_COST if name == "Query.duplicates" else ROW_COST) * items
        if name == "Query.nodes":
            cost += ROW_COST * count
        if name == "ImageFacets.labels":
            cost += LIBRARY_COST + SEARCH_COST * count
        if "exact" in arguments and self._value(arguments["exact"]) is not False:
            cost += LIBRARY_COST
        return cost

    def _list_size(self, name: str, arguments: Mapping[str, ValueNode], items: int) -> float:
        """Return how many objects the list of a field has at most."""
        if argument := LIST_ARGUMENTS.get(name):
            return self._longest_list([arguments[argument]] if argument in arguments else [])
        default = self._list_sizes.get(name, items)
        if "first" in arguments:
            return self._page_size(arguments, default=int(default), most=MAX_FACET_VALUES)
        return default

    def _page_size(
        self, arguments: Mapping[str, ValueNode], *, default: int, most: int = MAX_PAGE_SIZE
    ) -> int:
        sizes = [self._value(arguments[name]) for name in ("first", "last") if name in arguments]
        given = [size for size in sizes if size is not None]
        return max(
            (size if isinstance(size, int) and 0 <= size <= most else most for size in given),
            default=default,
        )

    def _longest_list(self, values: Iterable[object]) -> int:
        """Return the length of the longest list in values, 1 to MAX_IDS."""
        longest, waiting = 1, list(values)
        while waiting:
            value = self._value(waiting.pop())
            if isinstance(value, list | tuple):
                longest = max(longest, len(value))
                waiting.extend(value)
            elif isinstance(value, Mapping):
                waiting.extend(value.values())
        return min(longest, MAX_IDS)

    def _value(self, value: object) -> object:
        if isinstance(value, VariableNode):
            return self._variables.get(value.name.value)
        return _literal(value) if isinstance(value, ValueNode) else value


def _told(number: float) -> int:
    # In this order, since inf * 0 is no number, which compares as false.
    return round(min(MOST_TOLD, number))


def _nullable(type_: object) -> object:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def _literal(node: ValueNode) -> object:
    match node:
        case IntValueNode():
            return int(node.value) if len(node.value) < len(str(10**9)) else MAX_IDS
        case BooleanValueNode():
            return node.value
        case ListValueNode():
            return node.values
        case ObjectValueNode():
            return {field.name.value: field.value for field in node.fields}
        case _:
            return None


def _defaults(node: OperationDefinitionNode) -> dict[str, object]:
    return {
        definition.variable.name.value: _literal(definition.default_value)
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }
