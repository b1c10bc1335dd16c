"""Forks processes of Pictograph from one that has imported the libraries: each starts in a second.

Reads a request a line from standard input, as JSON, and writes the pid of the process that runs it.
The kernel reaps the processes. A process that ends by itself writes its exit status into a file.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tests.crash import failpoints

MODULES = (
    *("aiobotocore.session", "alembic.command", "numpy", "pgvector.sqlalchemy", "PIL.Image"),
    *("torch", "transformers", "uvicorn", "websockets", "pictograph.cli.main", "graph.http.app"),
    *("pictograph.cli.processes", "pictograph.cli.imports", "pictograph.cli.maintenance"),
    *("graph.http.server", "infra.clip.encoder", "infra.clip.embedding_space"),
    *("infra.embedded_postgres.server", "infra.filesystem.storage", "infra.pillow.imaging"),
    *("infra.s3.storage", "infra.postgres.migrate", "infra.postgres.events"),
)
OF_TRANSFORMERS = ("AutoTokenizer", "CLIPImageProcessorPil", "CLIPModel", "CLIPTokenizer")


def main() -> None:
    """Fork a process for each request until standard input ends."""
    for name in MODULES:
        import_module(name)
    for name in OF_TRANSFORMERS:
        getattr(sys.modules["transformers"], name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if (pid := os.fork()) == 0:
            _run(request)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> NoReturn:
    """Become the program with the arguments, the environment and the failpoint of a request."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for descriptor, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["pictograph", *request["arguments"]]
        if request["failpoint"]:
            failpoints.install(failpoints.Failpoint(**request["failpoint"]))
        main_module: Any = import_module("pictograph.cli.main")
        try:
            main_module.main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        Path(request["status"]).write_text(str(status))
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
