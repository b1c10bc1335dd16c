"""Random Strawberry schemas, data that does not always fit them, and queries."""

# ruff: noqa: ANN401 - fields and their values are of any type

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from random import Random
from types import SimpleNamespace
from typing import Annotated, Any, NewType, Optional, TypeAlias

import strawberry
from graphql import GraphQLError
from strawberry.extensions import FieldExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import get_object_definition
from strawberry.types.scalar import ScalarDefinition


@strawberry.enum
class Colour(Enum):
    """An enum with two values."""

    RED = "red"
    GREEN = "green"


class LongText(str):
    """A string of another class."""

    __slots__ = ()


def _serialize_odd(value: object) -> object:
    """Return odd numbers, and fail in every way that a scalar can."""
    match value:
        case 0:
            return None
        case 2:
            raise GraphQLError("two is not odd", extensions={"code": "EVEN"})
        case 4:
            raise ValueError("four is not odd")
        case 5:
            return LongText("five")
        case 7:
            return {"seven": [7]}
        case 9:
            return Promise(lambda: 9, turns=1)
        case _:
            return value


Odd = NewType("Odd", int)
SCALARS: Mapping[object, ScalarDefinition] = {
    Odd: strawberry.scalar(name="Odd", serialize=_serialize_odd, parse_value=int)
}


@strawberry.interface
class Labelled:
    """An interface that some of the types implement."""

    label: str


class Promise:
    """An awaitable that can be awaited more than once."""

    def __init__(self, make: Callable[[], Any], turns: int) -> None:
        self._make, self._turns = make, turns

    def __await__(self) -> Generator[Any, None, Any]:
        """Return the value after some turns of the event loop."""
        for _ in range(self._turns):
            yield from asyncio.sleep(0).__await__()
        return self._make()

    def __str__(self) -> str:
        """Return the same text for each of them, as strings are completed to their text."""
        return "promise"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of schemas, data and queries, at most."""

    types: int = 3
    fields: int = 5
    items: int = 4
    selections: int = 5
    depth: int = 4
    misfits: float = 0.05
    """The share of values that do not fit their types."""


class Way(Enum):
    """How a field gets its value."""

    ATTRIBUTE = "attribute"
    METHOD = "method"
    COROUTINE = "coroutine"
    ARGUMENT = "argument"
    EXTENSION = "extension"
    """An attribute behind a field extension, as permissions are."""


ATTRIBUTES = (Way.ATTRIBUTE, Way.EXTENSION)

WAYS = (*Way, *(Way.ATTRIBUTE,) * 5)
"""Attributes are most frequent, as in the schema."""


@dataclass(frozen=True, eq=False, slots=True)
class Type:
    """The type of a field: a list, or one with a name."""

    named: Any
    """The Python type; a ``RandomType`` for an object type; None for a list."""
    is_required: bool
    item: Optional["Type"] = None
    """The type of the items of a list."""

    def annotation(self) -> Any:
        """Return the annotation of a Strawberry field."""
        if self.item:
            found: Any = list[self.item.annotation()]  # type: ignore[misc]
        else:
            found = self.named.python if isinstance(self.named, RandomType) else self.named
        return found if self.is_required else Optional[found]  # noqa: UP045 - found is a value


@dataclass(frozen=True, eq=False, slots=True)
class RandomType:
    """An object type with its fields."""

    python: Any
    fields: Mapping[str, tuple[Type, Way]]


VARIABLES = "$yes: Boolean = true, $no: Boolean = false, $nothing: Boolean = true, $times: Int = 3"
VARIABLE_VALUES = {"nothing": None}
"""A condition that is null is an error of the object whose fields have it."""

PAGE = "page"
"""The root field with a list of objects."""

Make: TypeAlias = Callable[[], Any]
"""Makes a value. Values are made afresh for each execution, which may consume them."""

LEAVES: Mapping[Any, tuple[Any, ...]] = {
    str: ("", "text", "text", LongText("long"), 12),
    int: (0, 1, -7, True, 3.0, "5"),
    float: (0.5, 3, -1e300),
    bool: (True, False, 1),
    strawberry.ID: ("id", "id", 12),
    datetime: (datetime(2026, 5, 4, 10, tzinfo=UTC), datetime(2026, 5, 4, 10, 30, 5, 7)),  # noqa: DTZ001
    Colour: (Colour.RED, Colour.GREEN, "green"),
    Odd: (1, 3, 9),
}
MISFITS: tuple[Any, ...] = (
    "misfit",
    2**40,
    float("nan"),
    float("inf"),
    0,
    2,
    4,
    5,
    7,
    9,
    {},
    [],
    b"bytes",
    object,
)
"""Values that some of the types refuse. ``Odd`` has a way to fail for each digit."""


class Library:
    """A random schema, with data and queries for it."""

    def __init__(self, random: Random, sizes: Sizes) -> None:
        """Build the schema. A type refers only to those before it, so that data has an end."""
        self._random, self._sizes = random, sizes
        self._types: list[RandomType] = []
        self._either: Any = None
        for index in range(random.randint(1, sizes.types)):
            fields = self._random_fields()
            is_labelled = index == 0 or random.random() < 0.5
            self._types.append(_random_type(f"Type{index}", fields, is_labelled=is_labelled))
            if index == 1:
                members = self._types[0].python | self._types[1].python
                self._either = Annotated[members, strawberry.union("Either")]
        page = Type(None, is_required=False, item=Type(self._types[-1], self._flip()))
        fields = {PAGE: (page, random.choice(WAYS)), **self._random_fields()}
        self._root = _random_type("Query", fields, is_labelled=False)
        self.schema = strawberry.Schema(
            self._root.python,
            types=[each.python for each in self._types],
            config=StrawberryConfig(scalar_map=SCALARS),
        )

    def root(self) -> Make:
        """Return what makes a value of the root type."""
        return self._object(self._root)

    def query(self) -> str:
        """Return a query. One response name may be selected from several fields."""
        writer = _Writer(self._random, self._sizes, self._types)
        selection = writer.selection(self._root, depth=0)
        return "\n".join([f"query ({VARIABLES}) {selection}", *writer.fragments])

    def _flip(self) -> bool:
        return self._random.random() < 0.5

    def _random_fields(self) -> dict[str, tuple[Type, Way]]:
        count = self._random.randint(1, self._sizes.fields)
        return {
            f"field_{number}": (self._type_of_field(), self._random.choice(WAYS))
            for number in range(count)
        }

    def _type_of_field(self, dimensions: int = 2) -> Type:
        is_required = self._flip()
        if dimensions and self._random.random() < 0.25:
            return Type(None, is_required, self._type_of_field(dimensions - 1))
        groups: list[tuple[Any, ...]] = [tuple(LEAVES)]
        if self._types:
            groups += [groups[0], tuple(self._types), tuple(self._types)]
        if self._either:
            groups.append((Labelled, self._either))
        return Type(self._random.choice(self._random.choice(groups)), is_required)

    def _value(self, type_: Type) -> Make:
        """Return what makes a value of a field."""
        fits = self._random.random() >= self._sizes.misfits
        return self._fitting(type_) if fits else self._misfit(type_)

    def _fitting(self, type_: Type) -> Make:
        if not type_.is_required and self._random.random() < 0.2:
            return lambda: None
        if type_.item:
            item = type_.item
            makes = [self._value(item) for _ in range(self._random.randint(0, self._sizes.items))]
            collect = self._random.choice((*(list,) * 6, tuple, iter, _stream))
            return lambda: collect([make() for make in makes])
        if type_.named is Labelled or type_.named is self._either:
            return self._object(self._random.choice(self._types[:2]))
        if isinstance(type_.named, RandomType):
            return self._object(type_.named)
        leaf = self._random.choice(LEAVES[type_.named])
        return lambda: leaf

    def _misfit(self, type_: Type) -> Make:
        error = self._random.choice((ValueError("bug"), GraphQLError("refusal")))
        misfit = self._random.choice(MISFITS)
        make = self._fitting(type_)
        turns = self._random.randint(0, 2)
        return self._random.choice(
            (
                lambda: None,
                lambda: misfit,
                lambda: error,
                _raises(error),
                lambda: Promise(make, turns),
            )
        )

    def _object(self, type_: RandomType) -> Make:
        """Return what makes an object. It may lack attributes, or be of another class."""
        random = self._random
        makes = {name: self._value(each) for name, (each, _) in type_.fields.items()}
        ways = {name: way for name, (_, way) in type_.fields.items()}
        class_, cast = type_.python, None
        if random.random() < 2 * self._sizes.misfits:
            subclass = type("Special", (type_.python,), {})
            class_ = random.choice((subclass, SimpleNamespace, self._types[0].python, Error))
        if random.random() < 2 * self._sizes.misfits:
            cast = self._types[0].python

        def make() -> Any:
            made = class_.__new__(class_)
            made.__dict__["results"] = makes
            for name, make_part in makes.items():
                if ways[name] in ATTRIBUTES:
                    # What raises leaves its attribute missing.
                    try:
                        made.__dict__[name] = make_part()
                    except (ValueError, GraphQLError):
                        continue
            return strawberry.cast(cast, made) if cast else made

        return make


class Error(Exception):
    """An exception that has the attributes of an object."""


@dataclass
class _Writer:
    """Writes the selections of a query."""

    random: Random
    sizes: Sizes
    types: list[RandomType]
    fragments: list[str] = field(default_factory=list)

    def selection(self, type_: Any, *, depth: int) -> str:
        """Return a selection on a type: an object type, an interface or a union."""
        count = self.random.randint(1, self.sizes.selections)
        return f"{{ {' '.join(self._part(type_, depth) for _ in range(count))} }}"

    def _part(self, type_: Any, depth: int) -> str:
        kind = self.random.randint(0, 15) if depth < self.sizes.depth else None
        condition = self.random.choice((*(type_,) * 4, *self.types, Labelled))
        match kind:
            case 0:
                inner = self.selection(condition, depth=depth + 1)
                return f"... on {_name(condition)}{self._directives()} {inner}"
            case 1:
                return f"...{self._directives()} {self.selection(type_, depth=depth + 1)}"
            case 2:
                inner = self.selection(condition, depth=depth + 1)
                name = f"Fragment{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {_name(condition)} {inner}")
                return f"...{name}{self._directives()}"
            case _:
                return self._field(type_, depth)

    def _field(self, type_: Any, depth: int) -> str:
        fields = _fields(type_)
        name = self.random.choice((*fields, *fields, *({PAGE} & fields.keys()), "__typename"))
        alias = self.random.choice(("", "", "", "other: ", "another: "))
        if name == "__typename":
            return f"{alias}__typename"
        field_type, way = fields[name]
        while field_type.item:
            field_type = field_type.item
        inner = ""
        if field_type.named not in LEAVES:
            is_deepest = depth >= self.sizes.depth
            inner = (
                "{ __typename }"
                if is_deepest
                else self.selection(field_type.named, depth=depth + 1)
            )
        arguments = self.random.choice(("", "(times: 2)", "(times: $times)"))
        called = name.replace("_", "") + (arguments if way is Way.ARGUMENT else "")
        return f"{alias}{called}{self._directives()} {inner}"

    def _directives(self) -> str:
        usual = (" @include(if: $yes)", " @skip(if: $no)", " @skip(if: $yes)")
        rare = " @skip(if: $nothing)"
        return self.random.choice((*("",) * 72, *usual * 6, rare))


def _random_type(
    name: str, fields: Mapping[str, tuple[Type, Way]], *, is_labelled: bool
) -> RandomType:
    attributes = {n: type_ for n, (type_, way) in fields.items() if way in ATTRIBUTES}
    members = {
        "__annotations__": {n: type_.annotation() for n, type_ in attributes.items()},
        **{n: _field(n, t, way) for n, (t, way) in fields.items() if way is not Way.ATTRIBUTE},
    }
    python = strawberry.type(type(name, (Labelled,) if is_labelled else (), members))
    return RandomType(python, {**fields, **(LABEL if is_labelled else {})})


LABEL = {"label": (Type(str, is_required=True), Way.ATTRIBUTE)}


class Refusing(FieldExtension):
    """Refuses a field whose value is a number."""

    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> Any:
        """Return the value, unless it is a number."""
        value = next_(source, info, **arguments)
        if isinstance(value, int):
            raise PermissionError("refused")
        return value


def _field(name: str, type_: Type, way: Way) -> Any:
    if way is Way.EXTENSION:
        return strawberry.field(extensions=[Refusing()])

    def method(self: Any) -> Any:
        return self.results[name]()

    async def coroutine(self: Any) -> Any:
        await asyncio.sleep(0)
        return self.results[name]()

    def argument(self: Any, times: int = 1) -> Any:
        return [self.results[name]() for _ in range(times)][-1]

    resolvers: dict[Way, Callable[..., Any]] = {
        Way.METHOD: method,
        Way.COROUTINE: coroutine,
        Way.ARGUMENT: argument,
    }
    resolvers[way].__annotations__["return"] = type_.annotation()
    return strawberry.field(resolver=resolvers[way])


def _raises(error: Exception) -> Make:
    def make() -> Any:
        raise error

    return make


async def _stream(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def _fields(type_: Any) -> Mapping[str, tuple[Type, Way]]:
    if isinstance(type_, RandomType):
        return type_.fields
    return LABEL if type_ is Labelled else {}


def _name(type_: Any) -> str:
    definition = get_object_definition(type_.python if isinstance(type_, RandomType) else type_)
    return definition.name if definition else "Either"
