"""Sends generated operations of the schema to a server, and counts how it answers.

Schemathesis generates them, half with valid and half with invalid values, with and without a key.
The server is a real one, with the bundled model and an embedded PostgreSQL. The exit status is 1
where an answer is an internal error.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes

from graph.http.responses import GRAPHQL_JSON
from graph.schema.schema import print_schema
from postcards import MODEL
from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server, cache_models_in

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_OPERATIONS = 10_000
SHOWN_FAILURES = 5
INTERNAL_ERROR = "INTERNAL_SERVER_ERROR"
_AN_ID = re.compile(r'\b((?:id|imageId): |(?:ids|imageIds|idsNotIn): \[)"[^"]*"')
_INSTANTS = ("2026-05-04T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x")


def operations() -> st.SearchStrategy[str]:
    """Return a strategy for queries and mutations, valid ones and such with one mistake."""
    for name, values in (
        ("DateTime", _INSTANTS),
        ("URL", ("https://pictures.example",)),
        ("Upload", ("no file",)),
    ):
        schemathesis.graphql.scalar(name, st.sampled_from(values).map(nodes.String))
    schema = schemathesis.graphql.from_file(StringIO(print_schema()))
    fields = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases: list[st.SearchStrategy[schemathesis.Case[Any]]] = [
        field.as_strategy(generation_mode=mode) for field in fields for mode in modes
    ]
    return st.one_of(cases).map(lambda case: str(case.body))


def fuzz(server: Server, ids: Sequence[str], *, number: int) -> tuple[Counter[str], list[str]]:
    """Send operations, and return the number of answers of each kind, and what went wrong."""
    answers: Counter[str] = Counter()
    failures: list[str] = []
    progress = Progress(console=Console(stderr=True))
    sent = progress.add_task("Sending operations", total=number)

    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operations(), st.none() | st.sampled_from(list(ids)), st.booleans())
    def send(query: str, image_id: str | None, has_key: bool) -> None:  # noqa: FBT001 - hypothesis
        if image_id:
            query = _AN_ID.sub(rf'\g<1>"{image_id}"', query)
        headers = {"Accept": GRAPHQL_JSON} | ({"Authorization": f"Bearer {KEY}"} if has_key else {})
        response = server.http.post("/graphql", json={"query": query}, headers=headers)
        kind = _kind_of(response.json())
        answers[f"{response.status_code} {kind}"] += 1
        if response.is_server_error or kind == INTERNAL_ERROR:
            failures.append(f"{response.status_code} {response.text:.500}\n{query}")
        progress.advance(sent)

    with progress:
        send()
    return answers, failures


# Any: the JSON of an answer.
def _kind_of(answer: Any) -> str:  # noqa: ANN401
    codes = [error.get("extensions", {}).get("code") for error in answer.get("errors", ())]
    if INTERNAL_ERROR in codes:
        return INTERNAL_ERROR
    return str(codes[0] or "GRAPHQL_VALIDATION_FAILED") if codes else "data"


def main() -> None:
    """Fuzz a server of its own, and print what it answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=DEFAULT_OPERATIONS)
    number = parser.parse_args().operations
    with tempfile.TemporaryDirectory(prefix="pictograph-") as folder:
        # The embedded PostgreSQL may run as another user.
        Path(folder).chmod(0o755)
        cache_models_in(Path(folder, "cache"))
        with Server.in_thread({"model": MODEL, "data_dir": folder, "api_key": KEY}) as server:
            uploaded = server.upload({f"{each}.jpg": picture(each) for each in range(10)})
            ids = [result["image"]["id"] for result in uploaded["results"]]
            answers, failures = fuzz(server, ids, number=number)
    lines = [f"{count:7,}  {kind}" for kind, count in answers.most_common()]
    lines.append(
        f"{answers.total():7,}  operations, {len(failures)} answered with an internal error"
    )
    lines += [f"\n{failure}" for failure in failures[:SHOWN_FAILURES]]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
