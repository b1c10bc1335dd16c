"""Results of operations in the shape in which they are sent."""

from typing import Any

from strawberry.types import ExecutionResult


# Any: what a query asked for.
def answer_of(result: ExecutionResult) -> dict[str, Any]:
    """Return a result for JSON. One of nothing executed has no data, not even null."""
    if not result.errors:
        return {"data": result.data}
    errors = [error.formatted for error in result.errors]
    if result.data is None and not any(error.path for error in result.errors):
        return {"errors": errors}
    return {"errors": errors, "data": result.data}
