"""The options of `pictograph search`, and their conversion to a query of the domain."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial, wraps
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from typer import Argument, Option

from domain.entities.filters import ImageFilter, IntRange, LocalTimeRange, Orientation, TimeRange
from domain.entities.images import MAX_RATING, MIN_RATING, ImageStatus
from domain.entities.listing import MAX_PAGE_SIZE
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByImage, SearchBy, SearchOptions, WeightedTerm
from domain.errors import InvalidArgument, Location, Refusal, UploadRefusal
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES
from pictograph.cli.option_values import (
    parse_box,
    parse_circle,
    parse_file,
    parse_image_id,
    parse_instant,
    parse_media_type,
    parse_text,
    parse_time,
    parse_weighted_term,
)

T = TypeVar("T")

MAX_PIXELS_OPTION = 1_000_000
"""The largest value of an option for a width or a height."""

TERM_METAVAR = "WORDS|@FILE|ID"

TEXT_ARGUMENT = "TEXT"
"""The name of the positional argument in the help and in errors."""

Strings = list[str] | None
query_option = partial(Option, rich_help_panel="Query")
filter_option = partial(Option, rich_help_panel="Filter")
pixels_option = partial(filter_option, min=1, max=MAX_PIXELS_OPTION, metavar="PIXELS")
rating_option = partial(filter_option, min=MIN_RATING, max=MAX_RATING, metavar="RATING")


@dataclass(frozen=True, slots=True)
class SetsLocation:
    """Declares the location in refusals that an option sets."""

    location: Location

    def __init__(self, *location: str) -> None:
        """Keep the location."""
        object.__setattr__(self, "location", location)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchArguments:
    """The arguments of `pictograph search`. Typer reads the fields like parameters."""

    text: Annotated[str | None, Argument(help="Text to search for.")] = None
    image: Annotated[
        str | None, query_option(help="Search by the picture in this file.", metavar="FILE")
    ] = None
    image_id: Annotated[
        str | None, query_option(help="Search by this image of the library.", metavar="ID")
    ] = None
    like: Annotated[
        Strings,
        query_option(
            help="Add a term: words, @FILE or an image id, with an optional weight: 'at night^2'. "
            "Repeatable.",
            metavar=TERM_METAVAR,
        ),
        SetsLocation("blend", "like"),
    ] = None
    unlike: Annotated[
        Strings,
        query_option(help="Subtract a term. Repeatable.", metavar=TERM_METAVAR),
        SetsLocation("blend", "unlike"),
    ] = None

    tag: Annotated[
        Strings,
        filter_option(help="Has this tag; repeated, all of them.", metavar="TAG"),
        SetsLocation("filter", "tags_all"),
    ] = None
    any_tag: Annotated[
        Strings,
        filter_option(help="Has this tag; repeated, at least one of them.", metavar="TAG"),
        SetsLocation("filter", "tags_any"),
    ] = None
    no_tag: Annotated[
        Strings,
        filter_option(help="Lacks this tag. Repeatable.", metavar="TAG"),
        SetsLocation("filter", "tags_none"),
    ] = None
    keywords: Annotated[
        str | None,
        filter_option(
            help="Words in file name, alt text and tags; - excludes: 'rome -draft'.",
            metavar="WORDS",
        ),
        SetsLocation("filter", "keywords"),
    ] = None
    filename: Annotated[
        str | None,
        filter_option(help="The file name; * stands for any characters.", metavar="NAME"),
        SetsLocation("filter", "filename"),
    ] = None
    taken_from: Annotated[
        str | None,
        filter_option(
            help="Taken on this date or later, in local time: 2024, 2024-05, 2024-05-31.",
            metavar="DATE",
        ),
    ] = None
    taken_before: Annotated[
        str | None, filter_option(help="Taken before this date.", metavar="DATE")
    ] = None
    created_from: Annotated[
        str | None,
        filter_option(help="Added to the library on this date or later.", metavar="DATE"),
    ] = None
    created_before: Annotated[
        str | None, filter_option(help="Added to the library before this date.", metavar="DATE")
    ] = None
    make: Annotated[
        Strings,
        filter_option(help="Camera make; repeated, any of them.", metavar="MAKE"),
        SetsLocation("filter", "camera_make_in"),
    ] = None
    camera: Annotated[
        Strings,
        filter_option(help="Camera model; repeated, any of them.", metavar="MODEL"),
        SetsLocation("filter", "camera_model_in"),
    ] = None
    near: Annotated[
        str | None,
        filter_option(
            help="Taken within a radius of a place: 43.47,11.88,25.", metavar="LAT,LON,KM"
        ),
        SetsLocation("filter", "near"),
    ] = None
    within: Annotated[
        str | None,
        filter_option(help="Taken inside a part of a map: 48.2,47.3,9.8,8.9.", metavar="N,S,E,W"),
        SetsLocation("filter", "within"),
    ] = None
    location: Annotated[
        bool | None,
        filter_option(
            "--with-location/--without-location", help="Has a place in EXIF, or has none."
        ),
    ] = None
    type_: Annotated[
        Strings,
        filter_option(
            "--type", help="Media type, such as jpeg; repeated, any of them.", metavar="TYPE"
        ),
        SetsLocation("filter", "content_type_in"),
    ] = None
    orientation: Annotated[
        Orientation | None, filter_option(help="Landscape, portrait or square.", metavar="SHAPE")
    ] = None
    min_width: Annotated[int | None, pixels_option(help="At least this wide.")] = None
    max_width: Annotated[int | None, pixels_option(help="At most this wide.")] = None
    min_height: Annotated[int | None, pixels_option(help="At least this high.")] = None
    max_height: Annotated[int | None, pixels_option(help="At most this high.")] = None
    min_rating: Annotated[int | None, rating_option(help="Rated at least this, 1 to 5.")] = None
    max_rating: Annotated[int | None, rating_option(help="Rated at most this, 1 to 5.")] = None
    status: Annotated[
        list[ImageStatus] | None,
        filter_option(
            help="Only ready: images that are processing or failed cannot be found.",
            metavar="STATUS",
        ),
        SetsLocation("filter", "status_in"),
    ] = None
    not_: Annotated[
        Strings,
        filter_option("--not", help="Exclude this image. Repeatable.", metavar="ID"),
        SetsLocation("filter", "ids_not_in"),
    ] = None

    min_relevance: Annotated[
        float | None,
        Option(help="Least relevance: 0.9 is strong, 0.5 is likely.", min=0, max=1),
        SetsLocation("min_relevance"),
    ] = None
    collapse: Annotated[
        Literal["exact-copies", "near-duplicates"] | None,
        Option(help="Show exact-copies or near-duplicates as one picture.", metavar="KIND"),
    ] = None
    exact: Annotated[
        bool, Option("--exact", help="Compare every picture instead of scanning the index.")
    ] = False
    first: Annotated[
        int,
        Option(help="How many pictures to show.", min=1, max=MAX_PAGE_SIZE),
        SetsLocation("first"),
    ] = 10
    json: Annotated[bool, Option("--json", help="Print JSON instead of a table.")] = False
    open: Annotated[bool, Option("--open", help="Open the best picture in its program.")] = False

    def by(self) -> SearchBy:
        """Return the query. Raises InvalidArgument."""
        like = [term for _, term in self._like_terms()]
        unlike = tuple(parse_weighted_term("--unlike", term) for term in self.unlike or ())
        if not like:
            raise InvalidArgument(
                (),
                "The query is missing: add TEXT, --image FILE, --image-id ID or --like TERM, since "
                "--unlike and filters only narrow a search.",
            )
        if len(like) == 1 and like[0].weight == 1 and not unlike:
            return like[0].term
        return ByBlend(tuple(like), unlike)

    def options(self) -> SearchOptions:
        """Return the filter and the other options. Raises InvalidArgument."""
        return SearchOptions(
            self._filter(),
            self.min_relevance,
            Collapse[(self.collapse or "none").replace("-", "_").upper()],
            self.exact,
        )

    @contextmanager
    def naming_options(self) -> Iterator[None]:
        """Prefix the sentence of a refusal with the option that its location belongs to."""
        try:
            yield
        except UploadRefusal:
            raise  # Its sentence names the file.
        except Refusal as refusal:
            if option := self._option_at(refusal.location):
                raise InvalidArgument((), f"{option}: {refusal.message}") from None
            raise

    def _option_at(self, location: Location) -> str | None:
        match location:
            case ("text" | "image" | "image_id", *_):
                return self._like_terms()[0][0]
            case ("blend", "like", int(index), *_):
                return self._like_terms()[index][0]
        return next(
            (name for name, prefix in _option_locations() if prefix == location[: len(prefix)]),
            None,
        )

    def _like_terms(self) -> list[tuple[str, WeightedTerm]]:
        """Return the terms to add, each with its option."""
        terms: list[tuple[str, WeightedTerm]] = []
        if self.text is not None:
            text = parse_text(TEXT_ARGUMENT, self.text, file_option="--image ")
            terms.append((TEXT_ARGUMENT, WeightedTerm(text)))
        if self.image is not None:
            terms.append(("--image", WeightedTerm(parse_file("--image", self.image))))
        if self.image_id is not None:
            image_id = parse_image_id("--image-id", self.image_id)
            terms.append(("--image-id", WeightedTerm(ByImage(image_id))))
        terms += [("--like", parse_weighted_term("--like", term)) for term in self.like or ()]
        return terms

    def _filter(self) -> ImageFilter:
        taken = [
            parse_time("--taken-from", self.taken_from),
            parse_time("--taken-before", self.taken_before),
        ]
        instants = [time if time and time.tzinfo else None for time in taken]
        local_times = [time if time and not time.tzinfo else None for time in taken]
        created = [
            parse_instant("--created-from", self.created_from),
            parse_instant("--created-before", self.created_before),
        ]
        if self.status and ImageStatus.READY not in self.status:
            raise InvalidArgument(
                ("filter", "status_in"),
                "only images that are ready can be found; leave it out.",
            )
        types = [
            parse_media_type("--type", each, supported=ACCEPTED_CONTENT_TYPES)
            for each in self.type_ or ()
        ]
        return ImageFilter(
            taken_at=TimeRange(*instants) if any(instants) else None,
            taken_at_local=LocalTimeRange(*local_times) if any(local_times) else None,
            created_at=TimeRange(*created) if any(created) else None,
            camera_make_in=_tuple_or_none(self.make),
            camera_model_in=_tuple_or_none(self.camera),
            near=parse_circle("--near", self.near),
            within=parse_box("--within", self.within),
            has_location=self.location,
            tags_all=_tuple_or_none(self.tag),
            tags_any=_tuple_or_none(self.any_tag),
            tags_none=_tuple_or_none(self.no_tag),
            keywords=self.keywords,
            filename=self.filename,
            content_type_in=_tuple_or_none(types),
            orientation=self.orientation,
            width=_range_or_none(self.min_width, self.max_width),
            height=_range_or_none(self.min_height, self.max_height),
            rating=_range_or_none(self.min_rating, self.max_rating),
            status_in=_tuple_or_none(self.status),
            ids_not_in=_tuple_or_none([parse_image_id("--not", each) for each in self.not_ or ()]),
        )


@cache
def _option_locations() -> list[tuple[str, Location]]:
    """Return the options that declare a location, by the names that users type."""
    locations = []
    for name, hint in get_type_hints(SearchArguments, include_extras=True).items():
        _, parameter, *declared = get_args(hint)
        option = parameter.param_decls[0] if parameter.param_decls else f"--{name}"
        locations += [(option.replace("_", "-"), each.location) for each in declared]
    return locations


def with_search_options(run: Callable[[SearchArguments], None]) -> Callable[..., None]:
    """Return a command for Typer, with a parameter for each field of SearchArguments."""

    @wraps(run, assigned=("__doc__", "__module__", "__name__"))
    def command(**given: Any) -> None:  # noqa: ANN401 - the signature below has the types
        run(SearchArguments(**given))

    command.__signature__ = inspect.signature(SearchArguments)  # type: ignore[attr-defined]
    return command


def _tuple_or_none(values: Sequence[T] | None) -> tuple[T, ...] | None:
    return tuple(values) if values else None


def _range_or_none(least: int | None, most: int | None) -> IntRange | None:
    return None if least is None and most is None else IntRange(least, most)
