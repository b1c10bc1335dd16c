"""How long the lists of introspection are for one schema."""

from collections.abc import Mapping

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)

WRAPPING_TYPES_PER_TYPE = 0.5
"""How often a type wraps another on average, in ``[ID!]!`` three times."""


def introspection_list_sizes(schema: GraphQLSchema) -> Mapping[str, float]:
    """Return the average lengths of lists by field, such as ``__Type.fields``."""
    types = list(schema.type_map.values())
    objects = [each for each in types if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)]
    fields = [field for each in objects for field in each.fields.values()]
    inputs = [len(each.fields) for each in types if isinstance(each, GraphQLInputObjectType)]
    enums = [len(each.values) for each in types if isinstance(each, GraphQLEnumType)]
    interfaces = sum(len(each.interfaces) for each in objects)
    directives = schema.directives
    return {
        "__Schema.types": len(types),
        "__Schema.directives": len(directives),
        "__Type.fields": len(fields) / len(types),
        "__Type.inputFields": sum(inputs) / len(types),
        "__Type.enumValues": sum(enums) / len(types),
        "__Type.interfaces": interfaces / len(types),
        "__Type.possibleTypes": interfaces / len(types),
        "__Type.ofType": WRAPPING_TYPES_PER_TYPE,
        "__Field.args": sum(len(field.args) for field in fields) / len(fields),
        "__Directive.args": sum(len(each.args) for each in directives) / len(directives),
        "__Directive.locations": 4,
    }
