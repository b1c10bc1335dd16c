"""Which fields an operation selects, before they are resolved."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from graph.schema.context import Info

Fragments: TypeAlias = Mapping[str, FragmentDefinitionNode]


def selects_any(info: Info, names: frozenset[str]) -> bool:
    """Return whether the current field selects one of these fields, by their names in GraphQL.

    A field counts as selected whatever its directives say.
    """
    # Strawberry's own `selected_fields` converts every selection and argument below the field.
    raw = info._raw_info  # noqa: SLF001 - Strawberry has no public name for it
    return _select([node.selection_set for node in raw.field_nodes], names, fragments=raw.fragments)


def _select(
    selection_sets: Sequence[SelectionSetNode | None], names: frozenset[str], fragments: Fragments
) -> bool:
    waiting, seen = list(selection_sets), set[str]()
    while waiting:
        selection_set = waiting.pop()
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                if node.name.value in names:
                    return True
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            # Each fragment is visited once, however often it is spread.
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                waiting.append(fragments[node.name.value].selection_set)
    return False
