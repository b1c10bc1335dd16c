"""API keys in the header Authorization."""

from http import HTTPStatus

from starlette.exceptions import HTTPException


def key_of(authorization: object) -> str | None:
    """Return the key of an Authorization header. Raises HTTPException for another scheme."""
    if authorization is None:
        return None
    scheme, _, key = str(authorization).partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise unauthenticated("Send the key as “Authorization: Bearer <key>”.")
    return key.strip()


def unauthenticated(message: str) -> HTTPException:
    """Return a 401 with the challenge of the scheme Bearer."""
    return HTTPException(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
