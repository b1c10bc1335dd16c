"""Answers a search for the command line: by the running server, or by the library itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from domain.entities.images import ImageStatus, Variant
from domain.entities.queries import ByBlend, ByUpload
from domain.entities.relevance import LIKELY
from domain.entities.searches import MAX_SEARCH_DEPTH, SearchDepth
from domain.errors import InvalidArgument, UploadRefusal
from domain.use_cases.library.read import read_all
from graph.schema.spelling import decode_id
from infra.locations import shown
from pictograph.cli.search_result import FoundPicture, SearchAnswer, is_likely
from pictograph.cli.server_client import ServerFailed, UploadRefused

if TYPE_CHECKING:
    from uuid import UUID

    from domain import LibraryUseCases, UseCases
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy, SearchOptions
    from infra.settings import Settings
    from pictograph.cli.server_client import ServerClient


class Places(Protocol):
    """Names the place of an image's original."""

    def __call__(self, image: Image) -> str:
        """Return a path, or the address of an object."""


def places_of(settings: Settings) -> Places:
    """Return what names the places of a library's originals."""
    folder = settings.data_dir.absolute() / "files"

    def place(image: Image) -> str:
        if image.source is not None:
            return shown(image.source.location)
        key = Variant.ORIGINAL.key_of(image.id)
        if settings.s3_bucket:
            prefix = settings.s3_prefix.strip("/")
            return f"s3://{settings.s3_bucket}/{f'{prefix}/{key}' if prefix else key}"
        return str(folder / image.id.hex[-2:] / key)

    return place


async def search_library(
    use_cases: UseCases, by: SearchBy, options: SearchOptions, *, first: int, places: Places
) -> SearchAnswer:
    """Search with the model of this process. A refusal of a picture names its file."""
    try:
        # The summary counts the relevant hits of the whole search.
        page = await use_cases.search(by, options, first=first, depth=SearchDepth.ALL)
    except UploadRefusal as refusal:
        raise _naming_files(refusal, by) from None
    if not page.found:
        ready = replace(options.criteria, status_in=(ImageStatus.READY,))
        return SearchAnswer(
            (),
            matching_count=await use_cases.list.count(ready),
            library_count=await use_cases.describe.embedded_count(),
        )
    hits = await use_cases.search.of(page.search).score(page.search.query, page.search.hits)
    # An image that was deleted since the search has no relevance.
    relevances = {hit.image_id: hit.relevance or 0.0 for hit in hits}
    least = LIKELY if options.min_relevance is None else options.min_relevance
    return SearchAnswer(
        [
            FoundPicture(
                found.image,
                found.hit.score,
                relevances.get(found.image.id, 0.0),
                found.hit.collapsed_count,
                places(found.image),
            )
            for found in page.found
        ],
        exact=page.search.exact,
        relevant_count=sum(relevance >= least for relevance in relevances.values()),
        is_likely=any(map(is_likely, relevances.values())),
        is_cut_off=len(hits) >= MAX_SEARCH_DEPTH,
    )


@dataclass(frozen=True, slots=True)
class AnswerOfServer:
    """What a server answered, before the images are read from the library."""

    data: dict[str, Any]

    @classmethod
    async def to(
        cls, client: ServerClient, by: SearchBy, options: SearchOptions, *, first: int
    ) -> AnswerOfServer:
        """Ask a server. Raises ServerFailed, and InvalidArgument for a refusal."""
        try:
            return cls(await client.search(by, options, first=first))
        except UploadRefused as refusal:
            raise _naming_files(refusal, by) from None

    async def with_images(
        self, library: LibraryUseCases, options: SearchOptions, places: Places
    ) -> SearchAnswer:
        """Return the answer with the images of the library.

        Raises ServerFailed where the library has none of them: it is the server of another one.
        """
        found = self.data["searchImages"]
        ids = {edge["node"]["id"]: _uuid(edge["node"]["id"]) for edge in found["edges"]}
        images = await library.get(list(ids.values()))
        if ids and not images:
            raise ServerFailed("another library")
        pictures = [
            FoundPicture(
                image,
                edge["score"],
                edge["relevance"],
                edge["collapsedCount"],
                places(image),
                edge["node"]["url"],
            )
            for edge in found["edges"]
            if (image := images.get(ids[edge["node"]["id"]]))
        ]
        matching: int = self.data["matching"]["totalCount"]
        counts_likely = options.min_relevance is None or options.min_relevance >= LIKELY
        return SearchAnswer(
            pictures,
            exact=found["explain"]["exact"],
            relevant_count=found["relevantCount"],
            is_likely=(counts_likely and found["relevantCount"] > 0)
            or any(is_likely(picture.relevance) for picture in pictures),
            is_cut_off=matching >= MAX_SEARCH_DEPTH,
            matching_count=matching,
            library_count=self.data["library"]["totalCount"],
        )

    async def thumbnails(self, client: ServerClient, answer: SearchAnswer) -> list[bytes]:
        """Read the thumbnails of an answer's pictures. Raises ServerFailed."""
        nodes = [edge["node"] for edge in self.data["searchImages"]["edges"]]
        urls = {node["url"]: node["thumbnail"] for node in nodes}
        return [await client.read(urls[picture.url]) for picture in answer.pictures]


async def thumbnails_of(use_cases: UseCases, images: list[Image]) -> list[bytes]:
    """Read the thumbnails of images, in their order."""
    return [await read_all(await use_cases.read(image, Variant.THUMBNAIL)) for image in images]


def _uuid(id_: str) -> UUID:
    uuid = decode_id(id_)
    if uuid is None:
        raise ServerFailed(f"{id_} is no id")
    return uuid


def _naming_files(refusal: Exception, by: SearchBy) -> InvalidArgument:
    terms = [weighted.term for _, _, weighted in by.terms()] if isinstance(by, ByBlend) else [by]
    names = " or ".join(term.upload.name for term in terms if isinstance(term, ByUpload))
    return InvalidArgument((), f"{names}: {refusal}")
