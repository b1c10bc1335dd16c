"""How much one request may ask for, measured before anything else is done with it.

Every fragment is measured once or twice, so the time does not grow with how often it is spread.
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
from domain.use_cases.duplicates.find_duplicates import MAX_GROUP
from graph.schema.context import MAX_SEARCHES

MAX_QUERY_BYTES = 16_000
MAX_TOKENS = 2_000

PAGES = frozenset({"duplicates", "images", "searchImages", "similarImages"})
SEARCHES = frozenset({"duplicates", "searchImages", "similarImages"})
LIVE = frozenset({"imageMatched"})
"""Searches that answer with one image at a time."""

INTROSPECTION = frozenset({"__schema", "__type"})
DEFAULT_PAGE = 20
DEFAULTS = {"cameras": 10, "tags": 20, "months": 24, "contentTypes": 10}
"""How many values a facet has where nothing is said."""

SEARCH_COST = 200
"""In fields: a run of the model takes as long as answering some hundred of them."""

LIBRARY_COST = 1_500
"""In fields: to look at every image of a large library takes as long, for facets or duplicates."""


class Size(NamedTuple):
    """How large a selection is, fragments spread out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    searches: int = 0
    cost: int = 0
    """Fields of the answer when every page is full, and what searches cost beside them."""
    aside: int = 0
    """What is done once for the page that the selection belongs to, however long that is."""

    def beside(self, other: "Size") -> "Size":
        """Return the size of both together."""
        depth = max(self.depth, other.depth)
        return Size(depth, *(mine + its for mine, its in zip(self[1:], other[1:], strict=True)))

    def settled(self) -> "Size":
        """Return the size with what is done aside in its cost."""
        return self._replace(cost=self.cost + self.aside, aside=0)


LIMITS = Size(depth=12, fields=1_000, aliases=30, directives=50, searches=MAX_SEARCHES, cost=20_000)

MAX_REPETITIONS = 30
"""Of one field at one place of the answer. The standard rules hold each against each other, which
takes over a second for five hundred."""

NAMES = (*Size._fields, "repetitions")


def excess(document: DocumentNode, variables: Mapping[str, object] | None) -> GraphQLError | None:
    """Return what is wrong with an operation that asks for too much."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            given = _defaults(node) | dict(variables or {})
            # The `images` of a change are those it names, no page of the library.
            pages = PAGES if node.operation is OperationType.QUERY else SEARCHES
            measure = _Measure(fragments, given, pages)
            size = (*measure.operation(node), measure.repetitions(node.selection_set))
            for name, found, most in zip(NAMES, size, (*LIMITS, MAX_REPETITIONS), strict=True):
                if found > most:
                    return GraphQLError(
                        f"The query's {name} come to {min(found, 10**9):,}; at most {most:,} are "
                        "answered. Ask for less, or in several requests.",
                        extensions={"code": "QUERY_TOO_LARGE"},
                    )
    return None


class _Measure:
    """Sizes of the selections of one operation. Fragments are remembered."""

    def __init__(
        self,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
        pages: frozenset[str],
    ) -> None:
        self._fragments = fragments
        self._variables = variables
        self._pages = pages
        self._known: dict[tuple[str, bool], Size] = {}
        self._grouped = False
        self._repeated: dict[str, Counter[str]] = {}

    def operation(self, node: OperationDefinitionNode) -> Size:
        own = Size(directives=len(node.directives or ()))
        return self._selection(node.selection_set).beside(own).settled()

    def repetitions(self, selection_set: SelectionSetNode | None) -> int:
        """Return how often a field stands at one place of the answer, at most."""
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

    def _names_of(self, name: str) -> Counter[str]:
        if name not in self._repeated:
            self._repeated[name] = Counter()
            if fragment := self._fragments.get(name):
                self._repeated[name] = self._names(fragment.selection_set)
        return self._repeated[name]

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
            total = total.beside(size).beside(own)
        return total

    def _fragment(self, name: str) -> Size:
        key = (name, self._grouped)
        if key not in self._known:
            # What spreads itself, or is not there, is the standard rules' to refuse.
            self._known[key] = Size()
            if fragment := self._fragments.get(name):
                own = Size(directives=len(fragment.directives or ()))
                self._known[key] = self._selection(fragment.selection_set).beside(own)
        return self._known[key]

    def _below(self, node: FieldNode) -> Size:
        """Return the size of what stands below a field."""
        outside, self._grouped = self._grouped, self._grouped or node.name.value == "duplicates"
        size = self._selection(node.selection_set)
        self._grouped = outside
        return size

    def _field(self, node: FieldNode) -> Size:
        name = node.name.value
        inner = self._below(node)
        times = self._times(node)
        searches = int(name in SEARCHES or name in LIVE)
        size = Size(
            # Introspection has its own bound on depth, and its usual query is a deep one.
            depth=1 if name in INTROSPECTION else inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            searches=inner.searches * times + searches,
            cost=inner.cost * times + 1 + searches * SEARCH_COST,
            aside=inner.aside,
        )
        if name == "labels":
            # A page has its labels encoded once, though each of its images answers them.
            return size._replace(aside=SEARCH_COST * times)
        if name == "facets":
            return size._replace(cost=0, aside=size.settled().cost + LIBRARY_COST)
        if name == "duplicates":
            size = size._replace(cost=size.cost + LIBRARY_COST)
        return size.settled() if name in self._pages else size

    def _times(self, node: FieldNode) -> int:
        """Return how often the answer repeats what stands below the field."""
        sizes = {argument.name.value: argument.value for argument in node.arguments or ()}
        for name in ("first", "last"):
            if name in sizes:
                return self._number(sizes[name])
        for name in ("ids", "imageIds", "candidates"):
            if name in sizes:
                return self._length(sizes[name])
        if self._grouped and node.name.value == "images":
            return MAX_GROUP
        return DEFAULT_PAGE if node.name.value in self._pages else DEFAULTS.get(node.name.value, 1)

    def _number(self, value: ValueNode) -> int:
        given = self._plain(value)
        if given is None:
            return DEFAULT_PAGE
        return given if isinstance(given, int) and 0 <= given <= MAX_PAGE_SIZE else MAX_PAGE_SIZE

    def _length(self, value: ValueNode) -> int:
        given = self._plain(value)
        return len(given) if isinstance(given, list | tuple) else 1

    def _plain(self, value: ValueNode) -> object:
        return (
            self._variables.get(value.name.value)
            if isinstance(value, VariableNode)
            else _plain(value)
        )


def _plain(value: ValueNode) -> object:
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) < len(str(10**9)) else MAX_PAGE_SIZE
    return value.values if isinstance(value, ListValueNode) else None


def _defaults(node: OperationDefinitionNode) -> dict[str, object]:
    return {
        definition.variable.name.value: _plain(definition.default_value)
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }
