"""Conditional requests: comparing entity tags."""


def is_cached(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the header If-None-Match lists an entity tag, by weak comparison (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]
