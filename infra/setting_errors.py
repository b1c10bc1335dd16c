"""Sentences for settings with invalid values: which one, why, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_SHOWN_CHARACTERS = 60

WHOLE_NUMBER = "{value} is no whole number, such as 8000"
NUMBER = "{value} is no number, such as 2.5"
TRUTH = "{value} is neither true nor false"
LENGTH = "it has {actual_length} characters, and at least {min_length} are needed"
NO_URL = "{value} is no URL; write it as http://host:port or https://host"
REASONS = {
    **dict.fromkeys(("int_parsing", "int_from_float", "int_type"), WHOLE_NUMBER),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), NUMBER),
    **dict.fromkeys(("bool_parsing", "bool_type"), TRUTH),
    **dict.fromkeys(("too_short", "string_too_short"), LENGTH),
    **dict.fromkeys(("url_parsing", "url_scheme", "url_syntax_violation"), NO_URL),
    "greater_than_equal": "{value} is too small; at least {ge} is accepted",
    "greater_than": "{value} is too small; a number above {gt:g} is accepted",
    "less_than_equal": "{value} is too large; at most {le} is accepted",
    "literal_error": "{value} is not one of {expected}",
}
"""What is said for each type of pydantic's errors. Others have sentences of their own."""


def sentence_for(name: str, error: Mapping[str, Any], *, is_secret: bool) -> str:
    """Return the sentence for an error of pydantic. The value of a secret is not shown."""
    value = "its value" if is_secret else f"“{str(error['input'])[:MAX_SHOWN_CHARACTERS]}”"
    template = REASONS.get(error["type"])
    if template is None:
        reason = str(error["msg"]).removeprefix("Value error, ")
    else:
        reason = template.format(value=value, **error.get("ctx", {}))
    return f"{name} cannot be used: {reason}."
