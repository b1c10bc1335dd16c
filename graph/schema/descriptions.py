"""Descriptions of the schema, taken from the docstrings of classes, resolvers and attributes.

An attribute's docstring is the string after it, as for the constants of this code.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

BACKREF = GraphQLCoreConverter.DEFINITION_BACKREF
"""The extension in which Strawberry keeps its own definition of a type or field."""


def add_descriptions(schema: GraphQLSchema) -> None:
    """Describe each type, field and enum value by its docstring.

    An explicit description takes precedence. An argument without one has that of its type.
    """
    for type_ in schema.type_map.values():
        match type_.extensions.get(BACKREF):
            case StrawberryObjectDefinition() as definition:
                _describe(type_, definition.origin)
            case StrawberryEnumDefinition() as definition:
                _describe(type_, definition.wrapped_cls)
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field in type_.fields.values():
                for argument in field.args.values():
                    argument.description = (
                        argument.description or get_named_type(argument.type).description
                    )


def _describe(type_: GraphQLNamedType, documented: type) -> None:
    type_.description = type_.description or _docstring_of(documented)
    attributes = _attribute_docstrings(documented)
    if isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            value.description = value.description or attributes.get(name)
    elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for field in type_.fields.values():
            defined = field.extensions.get(BACKREF)
            if field.description is None and isinstance(defined, StrawberryField):
                resolver = defined.base_resolver
                field.description = (
                    _docstring_of(resolver.wrapped_func)
                    if resolver
                    else attributes.get(defined.python_name)
                )


def _attribute_docstrings(documented: type) -> dict[str, str]:
    """Return the docstrings of the attributes of a class, and of those that it inherits."""
    return {
        name: text
        for each in reversed(documented.__mro__)
        for name, text in _docstrings_of_module(inspect.getmodule(each)).get(each.__name__, ())
    }


@cache
def _docstrings_of_module(module: Any) -> dict[str, list[tuple[str, str]]]:  # noqa: ANN401 - a module
    """Return the attributes with a docstring of each class at the top of a module."""
    if module.__name__.partition(".")[0] not in {"domain", "graph"}:
        return {}
    return {
        node.name: list(_documented_attributes(node))
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }


def _documented_attributes(class_: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for attribute, after in zip(class_.body, class_.body[1:], strict=False):
        match attribute, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())


def _docstring_of(documented: object) -> str | None:
    """Return a docstring as one paragraph."""
    docstring = inspect.getdoc(documented)
    return " ".join(docstring.split()) if docstring else None
