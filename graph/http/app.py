"""The routes, and what stands around them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from domain import UseCases
from graph.http import gallery, graphiql
from graph.http.body import PREFLIGHT
from graph.http.endpoint import Endpoint
from graph.http.middleware import RequestMiddleware
from graph.http.options import HttpOptions
from graph.http.pictures import Pictures
from graph.http.problems import on_http_exception
from graph.http.receive_upload import Receiving

logger = logging.getLogger("pictograph")

Check: TypeAlias = Callable[[], Awaitable[object]]
"""Raises while something that the server stands on is away."""

CHECK_SECONDS = 5
NO_CHECKS: Mapping[str, Check] = MappingProxyType({})


def create_app(
    current: Callable[[], UseCases],
    options: HttpOptions | None = None,
    *,
    ready: Mapping[str, Check] = NO_CHECKS,
) -> Starlette:
    """Return the server for the use cases of the moment.

    ``ready`` says by name, what has to work for it to be ready. Its ``state.stopping`` is an
    event: once it is set, what is streamed comes to an end.
    """
    options = options or HttpOptions()
    stopping = asyncio.Event()
    endpoint = Endpoint(current, options, stopping=stopping)
    routes = [
        Route("/graphql", endpoint, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", endpoint),
        Route("/images/{id}/{variant}", Pictures(current).answer),
        Route("/healthz", _healthz),
        Route("/readyz", _readyz(ready)),
        *_pages(options),
    ]
    # The same whichever model answers.
    use_cases = current()
    if use_cases.receive_upload:
        receiving = Receiving(
            use_cases.receive_upload, use_cases.describe.max_upload_bytes, options
        )
        routes.append(Route("/uploads/{id}", receiving.answer, methods=["POST"]))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(RequestMiddleware), *_cors(options.cors_origins)],
        exception_handlers={HTTPException: on_http_exception},
    )
    app.router.redirect_slashes = False
    app.state.stopping = stopping
    return app


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "Range", "X-Request-ID", *PREFLIGHT],
            expose_headers=["X-Request-ID", "ETag", "Content-Range", "Content-Disposition"],
        )
    ]


def _pages(options: HttpOptions) -> list[BaseRoute]:
    """Return what is there for people: a gallery and a place to try queries."""

    async def home(_: Request) -> Response:
        return gallery.page(options.public_url)

    routes: list[BaseRoute] = [
        Route("/", home),
        Route("/ui/{name}", gallery.answer),
    ]
    if options.graphiql:
        routes.append(Route("/graphiql/{name}", graphiql.files(options.graphiql_assets)))
    return routes


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _readyz(checks: Mapping[str, Check]) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(_: Request) -> Response:
        working = await asyncio.gather(*(_works(name, check) for name, check in checks.items()))
        report = dict(zip(checks, working, strict=True))
        return JSONResponse(
            {
                "status": "ready" if all(working) else "not ready",
                "checks": {name: "ok" if ok else "failing" for name, ok in report.items()},
            },
            status_code=HTTPStatus.OK if all(working) else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    return readyz


async def _works(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever fails, the name is what clients get
        logger.warning("not ready: %s: %s", name, error)
        return False
    return True
