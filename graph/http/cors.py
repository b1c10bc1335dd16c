"""Cross-origin requests: what pages and apps of other origins may send, and may read."""

from collections.abc import Collection, Sequence
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from graph.http.multipart import PREFLIGHT_HEADERS
from graph.http.responses import error_response

ANY_ORIGIN = "*"

ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Range", "X-Request-ID"),
    *PREFLIGHT_HEADERS,
    # Conditional requests, and streams that continue.
    *("Cache-Control", "If-None-Match", "If-Range", "Last-Event-ID"),
    # The names of clients, as GraphQL libraries send them.
    *("apollographql-client-name", "apollographql-client-version"),
    *("x-graphql-client-name", "x-graphql-client-version", "X-Requested-With"),
    # Tracing: W3C Trace Context, W3C Baggage, and Sentry.
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
)
"""What client libraries add to requests. An unknown header fails the whole request."""

EXPOSED_HEADERS = ("X-Request-ID", "ETag", "Content-Range", "Content-Disposition", "Retry-After")


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's middleware, whose refusals are errors in the shape of GraphQL's."""

    def __init__(
        self, app: ASGIApp, *, origins: Sequence[str], more_headers: Collection[str]
    ) -> None:
        """Allow these origins to send ALLOWED_HEADERS and more headers."""
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=[*ALLOWED_HEADERS, *more_headers],
            expose_headers=EXPOSED_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a preflight; a refusal names the origin or header, and a setting."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        return error_response(
            HTTPStatus.BAD_REQUEST, self._reason(request_headers), headers=dict(_cors_part(answer))
        )

    def _reason(self, request_headers: Headers) -> str:
        origin = request_headers["origin"]
        if not self.is_allowed_origin(origin):
            return (
                f"The origin “{origin:.100}” may not use this server; ask its operator to add it "
                "to PICTOGRAPH_CORS_ORIGINS."
            )
        wanted = request_headers.get("access-control-request-headers", "").split(",")
        unknown = [
            name for name in map(str.strip, wanted) if name.lower() not in self.allow_headers
        ]
        if any(unknown):
            return (
                f"Pages of other origins may not send the header “{unknown[0]:.100}”; ask the "
                "operator of this server to add it to PICTOGRAPH_CORS_HEADERS."
            )
        return (
            "Pages of other origins may send GET, HEAD and POST only, and not to private networks."
        )

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Name the origin, unless the response is for every origin."""
        if headers.get("Access-Control-Allow-Origin") != ANY_ORIGIN:
            CORSMiddleware.allow_explicit_origin(headers, origin)


def _cors_part(answer: Response) -> Collection[tuple[str, str]]:
    """Return the headers of an answer without those of its body."""
    return [(name, value) for name, value in answer.headers.items() if "content" not in name]
