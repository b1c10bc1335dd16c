"""The conformance audits of GraphQL over HTTP, against a real server."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from graph.http.app import create_app
from tests.graph.fake_server import FakeBackend

CHECKS = Path(__file__).parents[3] / "shared" / "checks"
NPM = shutil.which("npm")


@pytest.fixture
async def audit(tmp_path: Path) -> Any:
    """Install the audits, or skip where npm has no network."""
    if not CHECKS.exists() or NPM is None:
        pytest.skip("the audits need ../shared/checks and npm")
    for file in CHECKS.iterdir():
        shutil.copy(file, tmp_path / file.name)
    installing = await asyncio.create_subprocess_exec(
        NPM, "ci", "--silent", "--no-audit", cwd=tmp_path
    )
    if await installing.wait():
        pytest.skip("npm could not install the audits")
    return tmp_path / "audit.mjs"


async def test_all_audits_pass(audit: Path, backend: FakeBackend, tmp_path: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(backend.use_cases)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    report = tmp_path / "report.json"
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
    auditing = await asyncio.create_subprocess_exec(
        "node", str(audit), address, "--json", str(report), stdout=asyncio.subprocess.DEVNULL
    )
    await auditing.wait()
    server.should_exit = True
    await serving
    listening.close()
    rows = json.loads(report.read_text())
    assert 61 == len(rows)
    assert [] == [row["name"] for row in rows if row["status"] != "ok"]
