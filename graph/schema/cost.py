"""Limits on the size and cost of an operation, measured before it is validated.

Each fragment is measured once or twice, so the time does not grow with the number of its spreads.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from domain.entities.listing import MAX_PAGE_SIZE
from domain.use_cases.duplicates.find_duplicates import MAX_GROUP_SIZE
from graph.schema.arguments import DEFAULT_PAGE_SIZE
from graph.schema.context import MAX_SEARCHES

MAX_QUERY_BYTES = 16_000
MAX_TOKENS = 2_000

PAGE_FIELDS = frozenset({"duplicates", "images", "searchImages", "similarImages"})
SEARCH_FIELDS = frozenset({"duplicates", "searchImages", "similarImages"})
LIVE_SEARCH_FIELDS = frozenset({"imageMatched"})
"""Searches that return one image at a time."""

INTROSPECTION_FIELDS = frozenset({"__schema", "__type"})

DEFAULT_FACET_SIZES = {"cameras": 10, "tags": 20, "months": 24, "contentTypes": 10}
"""How many values a facet returns without the argument ``first``."""

SEARCH_COST = 200
"""In fields: running the model takes as long as resolving some hundred fields."""

LIBRARY_COST = 1_500
"""In fields: facets and duplicates scan every image of the library, which takes as long."""


class Size(NamedTuple):
    """The size of a selection with its fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    searches: int = 0
    cost: int = 0
    """The number of resolved fields when every page is full, plus the costs of searches."""
    page_cost: int = 0
    """A cost that is paid once for the enclosing page, however many items the page has."""

    def plus(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        depth = max(self.depth, other.depth)
        return Size(depth, *(mine + its for mine, its in zip(self[1:], other[1:], strict=True)))

    def with_page_cost(self) -> "Size":
        """Return the size with its page cost added to its cost."""
        return self._replace(cost=self.cost + self.page_cost, page_cost=0)


LIMITS = Size(depth=12, fields=1_000, aliases=30, directives=50, searches=MAX_SEARCHES, cost=20_000)

MAX_REPETITIONS = 30
"""The most selections of one response name in one object.

The standard validation rules compare each pair of them, which takes over a second for 500.
"""

LIMIT_NAMES = (*Size._fields, "repetitions")


def limit_error(
    document: DocumentNode, variables: Mapping[str, object] | None
) -> GraphQLError | None:
    """Return an error that names the first exceeded limit, or None."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            values = _defaults(node) | dict(variables or {})
            # In a mutation, `images` are those of its input, not a page of the library.
            page_fields = PAGE_FIELDS if node.operation is OperationType.QUERY else SEARCH_FIELDS
            measure = _Measure(fragments, values, page_fields)
            size = (*measure.operation(node), measure.repetitions(node.selection_set))
            for name, value, limit in zip(
                LIMIT_NAMES, size, (*LIMITS, MAX_REPETITIONS), strict=True
            ):
                if value > limit:
                    return GraphQLError(
                        f"The query's {name} come to {min(value, 10**9):,}; at most {limit:,} are "
                        "allowed. Ask for less, or split the query into several requests.",
                        extensions={"code": "QUERY_TOO_LARGE"},
                    )
    return None


class _Measure:
    """Measures the selections of one operation, and memoises the sizes of its fragments."""

    def __init__(
        self,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
        page_fields: frozenset[str],
    ) -> None:
        self._fragments = fragments
        self._variables = variables
        self._page_fields = page_fields
        self._sizes: dict[tuple[str, bool], Size] = {}
        self._in_duplicates = False
        self._name_counts: dict[str, Counter[str]] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        own = Size(directives=len(node.directives or ()))
        return self._selection(node.selection_set).plus(own).with_page_cost()

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

    def _selection(self, selection_set: SelectionSetNode | None) -> Size:
        total = Size()
        for node in selection_set.selections if selection_set else ():
            own = Size(directives=len(node.directives or ()))
            if isinstance(node, FieldNode):
                size = self._field(node)
            elif isinstance(node, FragmentSpreadNode):
                size = self._fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                size = self._selection(node.selection_set)
            total = total.plus(size).plus(own)
        return total

    def _fragment(self, name: str) -> Size:
        key = (name, self._in_duplicates)
        if key not in self._sizes:
            # Size 0 ends the recursion. Cyclic and unknown fragments fail in validation.
            self._sizes[key] = Size()
            if fragment := self._fragments.get(name):
                own = Size(directives=len(fragment.directives or ()))
                self._sizes[key] = self._selection(fragment.selection_set).plus(own)
        return self._sizes[key]

    def _below(self, node: FieldNode) -> Size:
        """Return the size of a field's own selection."""
        outside = self._in_duplicates
        self._in_duplicates = outside or node.name.value == "duplicates"
        size = self._selection(node.selection_set)
        self._in_duplicates = outside
        return size

    def _field(self, node: FieldNode) -> Size:
        name = node.name.value
        inner = self._below(node)
        count = self._item_count(node)
        searches = int(name in SEARCH_FIELDS or name in LIVE_SEARCH_FIELDS)
        size = Size(
            # Validation limits the depth of introspection; the usual query of clients is deep.
            depth=1 if name in INTROSPECTION_FIELDS else inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            searches=inner.searches * count + searches,
            cost=inner.cost * count + 1 + searches * SEARCH_COST,
            page_cost=inner.page_cost,
        )
        if name == "labels":
            # The labels are encoded once for all images of a page.
            return size._replace(page_cost=SEARCH_COST * count)
        if name == "facets":
            return size._replace(cost=0, page_cost=size.with_page_cost().cost + LIBRARY_COST)
        if name == "duplicates":
            size = size._replace(cost=size.cost + LIBRARY_COST)
        return size.with_page_cost() if name in self._page_fields else size

    def _item_count(self, node: FieldNode) -> int:
        """Return how many items the list of a field has at most; 1 for a single object."""
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        for name in ("first", "last"):
            if name in arguments:
                return self._page_size(arguments[name])
        for name in ("ids", "imageIds", "candidates"):
            if name in arguments:
                return self._length(arguments[name])
        name = node.name.value
        if self._in_duplicates and name == "images":
            return MAX_GROUP_SIZE
        return DEFAULT_PAGE_SIZE if name in self._page_fields else DEFAULT_FACET_SIZES.get(name, 1)

    def _page_size(self, node: ValueNode) -> int:
        size = self._value(node)
        if size is None:
            return DEFAULT_PAGE_SIZE
        return size if isinstance(size, int) and 0 <= size <= MAX_PAGE_SIZE else MAX_PAGE_SIZE

    def _length(self, node: ValueNode) -> int:
        value = self._value(node)
        return len(value) if isinstance(value, list | tuple) else 1

    def _value(self, node: ValueNode) -> object:
        return (
            self._variables.get(node.name.value)
            if isinstance(node, VariableNode)
            else _literal(node)
        )


def _literal(node: ValueNode) -> object:
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) < len(str(10**9)) else MAX_PAGE_SIZE
    return node.values if isinstance(node, ListValueNode) else None


def _defaults(node: OperationDefinitionNode) -> dict[str, object]:
    return {
        definition.variable.name.value: _literal(definition.default_value)
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }
