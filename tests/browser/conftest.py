from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, Unpack

import pytest
from playwright.async_api import async_playwright, expect
from pytest_asyncio import fixture

from postcards import MODEL
from tests.browser.library import FEW, cards, clear, fill, library_of_many
from tests.browser.prepare import AXE, BUILD, MISSING, chromium
from tests.browser.visitor import DESKTOP, Visitor
from tests.e2e.process import KEY, Server, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from playwright.async_api import Browser, BrowserContext, ViewportSize

REPORTED = "reported"
FAILED = pytest.StashKey[bool]()
FAILURES = BUILD / "failures"
PATIENCE_MS = 30_000  # of a machine that has much else to do
ARGUMENTS = [
    # Whatever a page or the browser itself would look for elsewhere, it does not find.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


class Options(TypedDict, total=False):
    """What a visitor sees pages on, and with."""

    size: ViewportSize
    scheme: Literal["light", "dark"]
    sharp: float
    key: str
    traced: bool


class Visit(Protocol):
    """Opens a page of a server; every visitor has a browser profile of its own."""

    async def __call__(
        self, server: Server, path: str = "/", **options: Unpack[Options]
    ) -> Visitor: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One browser serves all tests, and so does its event loop.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed  # type: ignore[attr-defined]  # a report
    return report


@pytest.fixture(scope="session")
def library() -> Iterator[Server]:
    """A server with six hundred postcards, which tests only read.

    Each worker has its own on the one library, which the first of them fills.
    """
    with library_of_many() as server:
        yield server


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workplace")
    with ServerProcess.start({"model": MODEL, "data_dir": folder, "api_key": KEY}) as server:
        yield server


@pytest.fixture
def empty(workplace: Server) -> Server:
    """A server without a picture."""
    clear(workplace)
    return workplace


@pytest.fixture
def few(empty: Server) -> Server:
    """A server with a dozen postcards, to change as one likes."""
    fill(empty, cards(FEW))
    return empty


@fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    if not path:
        pytest.skip(MISSING)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, chromium_sandbox=False
        )
        yield browser
        await browser.close()


@fixture(loop_scope="session")
async def visit(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """Open pages; at the end none of them may have complained, or asked another machine."""
    visitors: list[Visitor] = []

    async def visit(server: Server, path: str = "/", **options: Unpack[Options]) -> Visitor:
        context = await browser.new_context(
            base_url=server.url,
            viewport=options.get("size", DESKTOP),
            color_scheme=options.get("scheme", "light"),
            device_scale_factor=options.get("sharp", 1),
        )
        traced = options.get("traced", True)
        if traced:
            # No snapshots: they fetch what is shown by blobs, which the page's policy forbids.
            await context.tracing.start(screenshots=True)
        visitor = await Visitor.arrive(context, server, key=options.get("key"), traced=traced)
        visitors.append(visitor)
        await visitor.page.goto(path)
        return visitor

    yield visit
    complaints = [line for visitor in visitors for line in visitor.complaints]
    name = re.sub(r"\W+", "-", request.node.name).strip("-")[:100]
    for number, visitor in enumerate(visitors, 1):
        context = visitor.page.context
        if complaints or request.node.stash.get(FAILED, False):
            await _keep(context, visitor, FAILURES / f"{name}-{number}")
        await context.close()
    if complaints:
        pytest.fail("\n".join(complaints))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something that the end of the run repeats."""
    # Properties of a test are what reaches the process that reports.
    return lambda line: request.node.user_properties.append((REPORTED, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for passed in terminalreporter.getreports("passed"):
        for name, line in passed.user_properties:
            if name == REPORTED:
                terminalreporter.write_line(str(line))


@pytest.fixture(scope="session")
def axe_source() -> str:
    """What to evaluate in a page that axe is to look at: the policy admits no script tag."""
    if not AXE.is_in(BUILD):
        pytest.skip("axe-core is not there: make test-browser fetches it")
    return (BUILD / AXE.name).read_text(encoding="utf-8")


async def _keep(context: BrowserContext, visitor: Visitor, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    screenshot, trace = place.with_suffix(".png"), place.with_suffix(".zip")
    if not visitor.page.is_closed():
        await visitor.page.screenshot(path=screenshot)
        print(f"How it looked: {screenshot}")  # noqa: T201
    if visitor.traced:
        await context.tracing.stop(path=trace)
        print(f"How it went, for `playwright show-trace`: {trace}")  # noqa: T201
