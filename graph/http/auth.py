"""API keys in the header Authorization, and in the payload that opens a WebSocket."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException

BEARER = "bearer"

KEY_PARAMS = {"authtoken", "token", "accesstoken", "apikey", "xapikey"}
"""Names under which clients of WebSockets send a key without its scheme, in lower case and without
punctuation."""


def key_of(authorization: object) -> str | None:
    """Return the key of an Authorization header; None where it has no key for this server.

    A credential of another scheme is for a proxy in front, such as a password (Basic). An app
    without a key may send an empty one. Raises HTTPException for a value without a scheme.
    """
    scheme, separator, key = str(authorization or "").strip().partition(" ")
    if scheme.lower() == BEARER:
        return key.strip() or None
    if scheme and not separator:
        raise unauthenticated("Send the key as “Authorization: Bearer <key>”.")
    return None


def key_of_params(params: Mapping[str, object], *, header: str | None) -> str | None:
    """Return the key of the payload of ``connection_init``, or else of the handshake's header.

    The payload may be ``{"Authorization": "Bearer <key>"}``, the same in ``headers``, or one of
    KEY_PARAMS with the key. Raises HTTPException for a credential that is no key.
    """
    for name, value in _credentials(params):
        scheme, _, rest = str(value or "").strip().partition(" ")
        is_bearer = scheme.lower() == BEARER
        if name == "authorization" and scheme and not is_bearer:
            raise unauthenticated("Send the key as {“Authorization”: “Bearer <key>”}.")
        return (rest.strip() if is_bearer else str(value or "").strip()) or None
    return key_of(header)


def _credentials(params: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield what may be a key, the most usual form first."""
    headers = params.get("headers")
    places = [params, headers] if isinstance(headers, Mapping) else [params]
    for place in places:
        named = {_plain(name): value for name, value in place.items()}
        for name in ("authorization", *sorted(KEY_PARAMS)):
            if name in named:
                yield name, named[name]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def unauthenticated(message: str) -> HTTPException:
    """Return a 401 with the challenge of the scheme Bearer."""
    return HTTPException(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
