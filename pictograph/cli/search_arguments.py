"""The options of `pictograph search`, turned into the domain's words."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial, wraps
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from typer import Argument, Option

from domain.entities.filters import ImageFilter, IntRange, Orientation, TimeRange
from domain.entities.images import MAX_RATING, MIN_RATING, ImageStatus
from domain.entities.listing import MAX_PAGE_SIZE
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByImage, SearchBy, SearchOptions, WeightedTerm
from domain.errors import InvalidArgument, Location, Refusal, UploadRefusal
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES
from pictograph.cli import option_values as typed

T = TypeVar("T")

MAX_SIDE = 1_000_000
"""Pixels of a side that can be asked for."""

THING = "WORDS|@FILE|ID"

TEXT = "TEXT"
"""How the help spells the positional argument."""

Strings = list[str] | None
wanted = partial(Option, rich_help_panel="What to look for")
which = partial(Option, rich_help_panel="Which pictures")
side = partial(which, min=1, max=MAX_SIDE, metavar="PIXELS")


@dataclass(frozen=True, slots=True)
class Fills:
    """Declares which part of a search an option fills, as refusals locate it."""

    location: Location

    def __init__(self, *location: str) -> None:
        """Keep the location."""
        object.__setattr__(self, "location", location)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchArguments:
    """What is typed behind `pictograph search`. Typer reads the fields as it reads parameters."""

    text: Annotated[str | None, Argument(help="What to look for, in words.")] = None
    image: Annotated[
        str | None, wanted(help="What this file shows, a picture.", metavar="FILE")
    ] = None
    image_id: Annotated[
        str | None, wanted(help="What this picture of the library shows.", metavar="ID")
    ] = None
    like: Annotated[
        Strings,
        wanted(
            help="This too: words, @ and a picture's file, or an id. Behind a ^ how much it "
            "counts: 'at night^2'. Repeatable.",
            metavar=THING,
        ),
        Fills("blend", "like"),
    ] = None
    unlike: Annotated[
        Strings, wanted(help="Without this. Repeatable.", metavar=THING), Fills("blend", "unlike")
    ] = None

    tag: Annotated[
        Strings,
        which(help="With this tag; repeated, with all.", metavar="TAG"),
        Fills("filter", "tags_all"),
    ] = None
    any_tag: Annotated[
        Strings,
        which(help="With this tag; repeated, with one of them.", metavar="TAG"),
        Fills("filter", "tags_any"),
    ] = None
    no_tag: Annotated[
        Strings,
        which(help="Without this tag. Repeatable.", metavar="TAG"),
        Fills("filter", "tags_none"),
    ] = None
    keywords: Annotated[
        str | None,
        which(help="Words in file name, alt text and tags: 'rome -draft'.", metavar="WORDS"),
        Fills("filter", "keywords"),
    ] = None
    taken_from: Annotated[
        str | None, which(help="Taken then or later: 2024, 2024-05, 2024-05-31.", metavar="DAY")
    ] = None
    taken_before: Annotated[str | None, which(help="Taken before.", metavar="DAY")] = None
    created_from: Annotated[
        str | None, which(help="Taken in here then or later.", metavar="DAY")
    ] = None
    created_before: Annotated[str | None, which(help="Taken in before.", metavar="DAY")] = None
    make: Annotated[
        Strings,
        which(help="By a camera of this make; repeated, of one.", metavar="MAKE"),
        Fills("filter", "camera_make_in"),
    ] = None
    camera: Annotated[
        Strings,
        which(help="By this camera model; repeated, by one.", metavar="MODEL"),
        Fills("filter", "camera_model_in"),
    ] = None
    near: Annotated[
        str | None,
        which(help="Around a place: 43.47,11.88,25.", metavar="LAT,LON,KM"),
        Fills("filter", "near"),
    ] = None
    location: Annotated[
        bool | None,
        which(
            "--with-location/--without-location", help="With a place in EXIF, or --without-location"
        ),
    ] = None
    type_: Annotated[
        Strings,
        which("--type", help="Of this media type, as jpeg; repeated, of one.", metavar="TYPE"),
        Fills("filter", "content_type_in"),
    ] = None
    orientation: Annotated[
        Orientation | None, which(help="Landscape, portrait or square.", metavar="HOW")
    ] = None
    min_width: Annotated[int | None, side(help="At least so wide.")] = None
    max_width: Annotated[int | None, side(help="At most so wide.")] = None
    min_height: Annotated[int | None, side(help="At least so high.")] = None
    max_height: Annotated[int | None, side(help="At most so high.")] = None
    min_rating: Annotated[
        int | None, which(help="Rated at least so.", min=MIN_RATING, max=MAX_RATING, metavar="1-5")
    ] = None
    max_rating: Annotated[
        int | None, which(help="Rated at most so.", min=MIN_RATING, max=MAX_RATING, metavar="1-5")
    ] = None
    status: Annotated[
        list[ImageStatus] | None,
        which(help="Ready, processing or failed; only what is ready is found.", metavar="STATUS"),
        Fills("filter", "status_in"),
    ] = None
    not_: Annotated[
        Strings,
        which("--not", help="Not this one. Repeatable.", metavar="ID"),
        Fills("filter", "ids_not_in"),
    ] = None

    min_relevance: Annotated[
        float | None,
        Option(help="From 0.9 strong, from 0.5 likely.", min=0, max=1),
        Fills("min_relevance"),
    ] = None
    collapse: Annotated[
        Literal["exact-copies", "near-duplicates"] | None,
        Option(
            help="Show one picture for all its exact-copies or near-duplicates.", metavar="KIND"
        ),
    ] = None
    exact: Annotated[bool, Option("--exact", help="Compare every picture, not an index.")] = False
    first: Annotated[
        int, Option(help="How many to show.", min=1, max=MAX_PAGE_SIZE), Fills("first")
    ] = 10

    def by(self) -> SearchBy:
        """Return the query. Raises InvalidArgument, as ``options`` does."""
        like = [term for _, term in self._like()]
        unlike = tuple(typed.weighted("--unlike", thing) for thing in self.unlike or ())
        if not like:
            raise InvalidArgument(
                (),
                "Say what to look for: TEXT, --image FILE, --image-id ID or --like THING; "
                "--unlike and the rest only narrow it.",
            )
        if len(like) == 1 and like[0].weight == 1 and not unlike:
            return like[0].term
        return ByBlend(tuple(like), unlike)

    def options(self) -> SearchOptions:
        """Return which hits are an answer."""
        return SearchOptions(
            self._criteria(),
            self.min_relevance,
            Collapse[(self.collapse or "none").replace("-", "_").upper()],
            self.exact,
        )

    @contextmanager
    def spelled(self) -> Iterator[None]:
        """Begin the sentence of a refusal with the option that is at fault."""
        try:
            yield
        except UploadRefusal:
            raise  # the sentence names the file
        except Refusal as refusal:
            if option := self._option_at(refusal.location):
                raise InvalidArgument((), f"{option}: {refusal.message}") from None
            raise

    def _option_at(self, location: Location) -> str | None:
        match location:
            case ("text" | "image" | "image_id", *_):
                return self._like()[0][0]
            case ("blend", "like", int(index), *_):
                return self._like()[index][0]
        return next((name for name, filled in _filled() if filled == location[: len(filled)]), None)

    def _like(self) -> list[tuple[str, WeightedTerm]]:
        """Return what to look for, each with the option that says it."""
        like: list[tuple[str, WeightedTerm]] = []
        if self.text is not None:
            like.append((TEXT, WeightedTerm(typed.words(TEXT, self.text, as_file="--image "))))
        if self.image is not None:
            like.append(("--image", WeightedTerm(typed.example("--image", self.image))))
        if self.image_id is not None:
            image_id = typed.image_id("--image-id", self.image_id)
            like.append(("--image-id", WeightedTerm(ByImage(image_id))))
        like += [("--like", typed.weighted("--like", thing)) for thing in self.like or ()]
        return like

    def _criteria(self) -> ImageFilter:
        taken = [
            typed.instant("--taken-from", self.taken_from),
            typed.instant("--taken-before", self.taken_before),
        ]
        created = [
            typed.instant("--created-from", self.created_from),
            typed.instant("--created-before", self.created_before),
        ]
        if self.status and ImageStatus.READY not in self.status:
            raise InvalidArgument(
                ("filter", "status_in"),
                "only pictures that are ready can be found; leave it out.",
            )
        types = [
            typed.media_type("--type", each, known=ACCEPTED_CONTENT_TYPES)
            for each in self.type_ or ()
        ]
        return ImageFilter(
            taken_at=TimeRange(*taken) if any(taken) else None,
            created_at=TimeRange(*created) if any(created) else None,
            camera_make_in=_several(self.make),
            camera_model_in=_several(self.camera),
            near=typed.circle("--near", self.near),
            has_location=self.location,
            tags_all=_several(self.tag),
            tags_any=_several(self.any_tag),
            tags_none=_several(self.no_tag),
            keywords=self.keywords,
            content_type_in=_several(types),
            orientation=self.orientation,
            width=_range(self.min_width, self.max_width),
            height=_range(self.min_height, self.max_height),
            rating=_range(self.min_rating, self.max_rating),
            status_in=_several(self.status),
            ids_not_in=_several([typed.image_id("--not", each) for each in self.not_ or ()]),
        )


@cache
def _filled() -> list[tuple[str, Location]]:
    """Return each option that declares what it fills, as it is spelled."""
    filled = []
    for name, hint in get_type_hints(SearchArguments, include_extras=True).items():
        _, parameter, *declared = get_args(hint)
        spelled = parameter.param_decls[0] if parameter.param_decls else f"--{name}"
        filled += [(spelled.replace("_", "-"), each.location) for each in declared]
    return filled


def taking_options(run: Callable[[SearchArguments], None]) -> Callable[..., None]:
    """Return ``run`` as Typer wants it: with a parameter for each option."""

    @wraps(run, assigned=("__doc__", "__module__", "__name__"))
    def command(**given: Any) -> None:  # noqa: ANN401 - the signature below says what they are
        run(SearchArguments(**given))

    command.__signature__ = inspect.signature(SearchArguments)  # type: ignore[attr-defined]
    return command


def _several(values: Sequence[T] | None) -> tuple[T, ...] | None:
    return tuple(values) if values else None


def _range(least: int | None, most: int | None) -> IntRange | None:
    return None if least is None and most is None else IntRange(least, most)
