"""The ASGI application: its routes and middleware."""

import asyncio
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from domain import UseCases
from graph.http import gallery, graphiql
from graph.http.cors import CrossOriginMiddleware
from graph.http.endpoint import GraphQLEndpoint
from graph.http.forwarded import ForwardedMiddleware
from graph.http.health import (
    LIVENESS_PATH,
    NO_CHECKS,
    READINESS_PATH,
    Check,
    Readiness,
    liveness,
)
from graph.http.hosts import HostMiddleware, accepted_hosts
from graph.http.middleware import CrowdMiddleware, RequestMiddleware
from graph.http.options import HttpOptions
from graph.http.pictures import PictureEndpoint
from graph.http.responses import http_exception_response
from graph.http.uploads import UploadEndpoint


def create_app(
    current_use_cases: Callable[[], UseCases],
    options: HttpOptions | None = None,
    *,
    ready: Mapping[str, Check] = NO_CHECKS,
    degraded: Mapping[str, Check] = NO_CHECKS,
) -> Starlette:
    """Return the application. ``current_use_cases`` returns those of the active model.

    ``ready`` holds readiness checks by name. Searching goes on while those of ``degraded`` fail.
    Setting the event ``state.draining`` makes the server not ready, and ``state.stopping`` ends all
    streams.
    """
    options = options or HttpOptions()
    draining, stopping = asyncio.Event(), asyncio.Event()
    endpoint = GraphQLEndpoint(current_use_cases, options, stopping=stopping)
    routes = [
        Route("/graphql", endpoint, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", endpoint),
        Route("/images/{id}/{variant}", PictureEndpoint(current_use_cases).respond),
        Route(LIVENESS_PATH, liveness),
        Route(READINESS_PATH, Readiness(ready, degraded, draining).respond),
        *_pages(options),
    ]
    # Uploads do not depend on the model.
    use_cases = current_use_cases()
    if use_cases.receive_upload:
        uploads = UploadEndpoint(
            use_cases.receive_upload, use_cases.describe.max_upload_bytes, options
        )
        routes.append(Route("/uploads/{id}", uploads.respond, methods=["POST"]))
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(ForwardedMiddleware, proxies=options.trusted_proxies),
            # Before those below, so that a page can also read their errors.
            *_cors(options),
            Middleware(RequestMiddleware),
            Middleware(CrowdMiddleware),
            Middleware(
                HostMiddleware,
                accepted=accepted_hosts(options.public_url, options.allowed_hosts),
            ),
        ],
        exception_handlers={HTTPException: http_exception_response},
    )
    app.router.redirect_slashes = False
    app.state.draining, app.state.stopping = draining, stopping
    return app


def _cors(options: HttpOptions) -> list[Middleware]:
    if not options.cors_origins:
        return []
    return [
        Middleware(
            CrossOriginMiddleware,
            origins=options.cors_origins,
            more_headers=options.cors_headers,
        )
    ]


def _pages(options: HttpOptions) -> list[BaseRoute]:
    """Return the routes of the gallery and of GraphiQL's files."""

    async def home(_: Request) -> Response:
        return gallery.page(options.public_url)

    routes: list[BaseRoute] = [
        Route("/", home),
        Route("/ui/{name}", gallery.file),
    ]
    if options.graphiql:
        routes.append(Route("/graphiql/{name}", graphiql.files(options.graphiql_assets)))
    return routes
