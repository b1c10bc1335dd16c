"""The options of `pictograph search`, turned into the domain's words."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Annotated, Any, Literal, TypeVar

from typer import Argument, Option

from domain.entities.filters import ImageFilter, IntRange, Orientation, TimeRange
from domain.entities.images import ImageStatus
from domain.entities.listing import MAX_PAGE
from domain.entities.near_duplicates import Collapse
from domain.entities.queries import ByBlend, ByImage, SearchBy, SearchOptions, WeightedTerm
from domain.errors import InvalidArgument, Refusal, UploadRefusal
from infra.pillow.picture_files import ACCEPTED_CONTENT_TYPES
from pictograph.cli import option_values as typed

T = TypeVar("T")

MAX_SIDE = 1_000_000
"""Pixels of a side that can be asked for."""

THING = "WORDS|@FILE|ID"

OPTIONS = {
    "by.text": "TEXT or --like",
    "by.imageId": "--image-id or --like",
    "by.blend.like": "TEXT or --like",
    "by.blend.unlike": "--unlike",
    "minRelevance": "--min-relevance",
    "filter.cameraMakeIn": "--make",
    "filter.cameraModelIn": "--camera",
    "filter.near": "--near",
    "filter.tagsAll": "--tag",
    "filter.tagsAny": "--any-tag",
    "filter.tagsNone": "--no-tag",
    "filter.keywords": "--keywords",
}
"""What the arguments of the domain were typed as."""

Strings = list[str] | None
wanted = partial(Option, rich_help_panel="What to look for")
which = partial(Option, rich_help_panel="Which pictures")
side = partial(which, min=1, max=MAX_SIDE, metavar="PIXELS")


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
    ] = None
    unlike: Annotated[Strings, wanted(help="Without this. Repeatable.", metavar=THING)] = None

    tag: Annotated[Strings, which(help="With this tag; repeated, with all.", metavar="TAG")] = None
    any_tag: Annotated[
        Strings, which(help="With this tag; repeated, with one of them.", metavar="TAG")
    ] = None
    no_tag: Annotated[Strings, which(help="Without this tag. Repeatable.", metavar="TAG")] = None
    keywords: Annotated[
        str | None,
        which(help="Words in file name, alt text and tags: 'rome -draft'.", metavar="WORDS"),
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
        Strings, which(help="By a camera of this make; repeated, of one.", metavar="MAKE")
    ] = None
    camera: Annotated[
        Strings, which(help="By this camera model; repeated, by one.", metavar="MODEL")
    ] = None
    near: Annotated[
        str | None, which(help="Around a place: 43.47,11.88,25.", metavar="LAT,LON,KM")
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
    ] = None
    orientation: Annotated[
        Orientation | None, which(help="Landscape, portrait or square.", metavar="HOW")
    ] = None
    min_width: Annotated[int | None, side(help="At least so wide.")] = None
    max_width: Annotated[int | None, side(help="At most so wide.")] = None
    min_height: Annotated[int | None, side(help="At least so high.")] = None
    max_height: Annotated[int | None, side(help="At most so high.")] = None
    status: Annotated[
        list[ImageStatus] | None,
        which(help="Ready, processing or failed; only what is ready is found.", metavar="STATUS"),
    ] = None
    not_: Annotated[Strings, which("--not", help="Not this one. Repeatable.", metavar="ID")] = None

    min_relevance: Annotated[
        float | None, Option(help="From 0.9 strong, from 0.5 likely.", min=0, max=1)
    ] = None
    collapse: Annotated[
        Literal["exact-copies", "near-duplicates"] | None,
        Option(
            help="Show one picture for all its exact-copies or near-duplicates.", metavar="KIND"
        ),
    ] = None
    exact: Annotated[bool, Option("--exact", help="Compare every picture, not an index.")] = False
    first: Annotated[int, Option(help="How many to show.", min=1, max=MAX_PAGE)] = 10

    def by(self) -> SearchBy:
        """Return what is looked for. Raises InvalidArgument, as the next one does."""
        like = [*self._queries(), *(typed.weighted("--like", thing) for thing in self.like or ())]
        unlike = tuple(typed.weighted("--unlike", thing) for thing in self.unlike or ())
        if not like:
            raise InvalidArgument(
                "by",
                "Say what to look for: TEXT, --image FILE, --image-id ID or --like THING; "
                "--unlike and the rest only narrow it.",
            )
        if len(like) == 1 and like[0].weight == 1 and not unlike:
            return like[0].term
        with options_named():
            return ByBlend(tuple(like), unlike)

    def narrowing(self) -> SearchOptions:
        """Return which hits are an answer."""
        with options_named():
            return SearchOptions(
                self._criteria(),
                self.min_relevance,
                Collapse[(self.collapse or "none").replace("-", "_").upper()],
                self.exact,
            )

    def _queries(self) -> Iterator[WeightedTerm]:
        if self.text is not None:
            yield WeightedTerm(typed.words("TEXT", self.text, as_file="--image "))
        if self.image is not None:
            yield WeightedTerm(typed.example("--image", self.image))
        if self.image_id is not None:
            yield WeightedTerm(ByImage(typed.image_id("--image-id", self.image_id)))

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
                "filter.statusIn",
                "--status: only pictures that are ready can be found; leave it out.",
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
            status_in=_several(self.status),
            ids_not_in=_several([typed.image_id("--not", each) for each in self.not_ or ()]),
        )


def taking_options(run: Callable[[SearchArguments], None]) -> Callable[..., None]:
    """Return ``run`` as Typer wants it: with a parameter for each option."""

    @wraps(run, assigned=("__doc__", "__module__", "__name__"))
    def command(**given: Any) -> None:  # noqa: ANN401 - the signature below says what they are
        run(SearchArguments(**given))

    command.__signature__ = inspect.signature(SearchArguments)  # type: ignore[attr-defined]
    return command


@contextmanager
def options_named() -> Iterator[None]:
    """Name the option in refusals of an argument that was typed as one."""
    try:
        yield
    except UploadRefusal:
        raise  # the file's name says more
    except Refusal as refusal:
        for argument, option in OPTIONS.items():
            if (refusal.argument or "").startswith(argument):
                raise InvalidArgument(option, f"{option}: {refusal.message}") from None
        raise


def _several(values: Sequence[T] | None) -> tuple[T, ...] | None:
    return tuple(values) if values else None


def _range(least: int | None, most: int | None) -> IntRange | None:
    return None if least is None and most is None else IntRange(least, most)
