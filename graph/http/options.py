"""What the way in can be told."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How the server is reached, by whom, and what one request may take."""

    public_url: str | None = None
    """Where clients reach this server; the address of each request where it is None."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may use the API, exactly as browsers send them."""
    max_body_bytes: int = 1024 * 1024
    """Of a request without files."""
    max_request_bytes: int = 256 * 1024 * 1024
    """Of a multipart request, all its files together."""
    idle_seconds: float = 30
    """How long a request's body may stand still."""
    operation_seconds: float = 60
    """How long one operation may take."""
    max_operations: int = 20
    """Of one WebSocket at the same time."""
    graphiql: bool = True
    """Whether browsers get a page to try queries on."""
    graphiql_assets: Path = Path(__file__).parents[1] / "graphiql" / "assets"
    """Where ``python -m graph.http.fetch_graphiql`` put GraphiQL's files."""
