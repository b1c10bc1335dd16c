"""Descriptions of types and fields, taken from the docstrings of classes and resolvers."""

import inspect

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

BACKREF = GraphQLCoreConverter.DEFINITION_BACKREF
"""The extension in which Strawberry keeps its own definition of a type or field."""


def add_descriptions(schema: GraphQLSchema) -> None:
    """Describe each type and each field with a resolver by its docstring.

    An explicit description takes precedence.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get(BACKREF)
        if type_.description is None:
            match definition:
                case StrawberryObjectDefinition():
                    type_.description = _docstring_of(definition.origin)
                case StrawberryEnumDefinition():
                    type_.description = _docstring_of(definition.wrapped_cls)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                resolved = field.extensions.get(BACKREF)
                if field.description is None and isinstance(resolved, StrawberryField):
                    resolver = resolved.base_resolver
                    field.description = _docstring_of(resolver.wrapped_func) if resolver else None


def _docstring_of(documented: object) -> str | None:
    """Return a docstring as one paragraph."""
    docstring = inspect.getdoc(documented)
    return " ".join(docstring.split()) if docstring else None
