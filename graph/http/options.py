"""The options of the HTTP server."""

from dataclasses import dataclass, field
from pathlib import Path

from graph.http.body import Pace
from graph.http.forwarded import THIS_MACHINE


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The public address, the allowed origins, and the limits of one request."""

    public_url: str | None = None
    """The URL that clients use. None takes the host of each request."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that requests may name, in addition to loopback, addresses and the public URL."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may use the API, exactly as browsers send them."""
    cors_headers: tuple[str, ...] = ()
    """Headers that these pages may send, in addition to those of client libraries."""
    trusted_proxies: tuple[str, ...] = THIS_MACHINE
    """Addresses and networks of proxies whose headers ``X-Forwarded-*`` are read."""
    max_body_bytes: int = 1024 * 1024
    """The limit of a request without files."""
    max_request_bytes: int = 256 * 1024 * 1024
    """The limit of a multipart request with all its files."""
    pace: Pace = field(default_factory=Pace)
    """The slowest pace of bodies of requests and of pictures."""
    max_forms: int = 64
    """The most multipart requests that are read at once. Those without a key get half of them."""
    operation_seconds: float = 60
    """The time limit of one operation, and of each result of a subscription."""
    max_operations: int = 20
    """The most concurrent operations of one WebSocket."""
    graphiql: bool = True
    """Whether browsers get GraphiQL at ``/graphql``."""
    graphiql_assets: Path = Path(__file__).parents[1] / "graphiql" / "assets"
    """The folder into which ``python -m graph.http.fetch_graphiql`` writes GraphiQL's files."""
