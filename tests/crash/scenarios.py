"""What a process does while it is killed, and how its caller does the same again."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped] # it ships no types
from sqlalchemy import URL

from postcards import MODEL
from tests.crash import client
from tests.crash.client import ask, list_images
from tests.e2e.process import environment
from tests.e2e.second_model import second_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.crash.client import Ledger
    from tests.crash.failpoints import Failpoint
    from tests.crash.library import Library

WAIT_SECONDS = 180.0
NO_SETTINGS: Mapping[str, object] = MappingProxyType({})
NO_WORKER = {"worker": False}
"""Of the server, which would take the tasks of a command."""

MODELS = "{ models { name state } }"


class Scenario(Protocol):
    """Something that the server does, or a command while the server runs."""

    @property
    def kills_server(self) -> bool:
        """Whether it is the server that is killed."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Settings of the library."""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Prepare one run."""

    async def run(self, library: Library, ledger: Ledger, point: Failpoint | None) -> bool:
        """Do it once, a command with the failpoint; return whether the command was killed."""

    async def run_to_end(self, library: Library, ledger: Ledger) -> None:
        """Do the same again, as a client or an operator does after a crash."""


class _OfServer:
    """A scenario in which clients wait for the server."""

    kills_server = True
    settings: Mapping[str, object] = NO_SETTINGS

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Prepare nothing."""

    async def run(self, library: Library, ledger: Ledger, point: Failpoint | None) -> bool:
        """Let the client work, and return no matter how."""
        del point
        await self.work(library, ledger)
        return False

    async def run_to_end(self, library: Library, ledger: Ledger) -> None:
        """Let the client repeat its work."""
        await self.work(library, ledger)

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Send what the client wants. Repeating it is idempotent."""
        raise NotImplementedError


class _OfCommand:
    """A scenario of a command that an operator starts again until it ends."""

    kills_server = False
    settings: Mapping[str, object] = NO_SETTINGS

    def arguments(self, library: Library) -> Sequence[str]:
        """Return the command."""
        raise NotImplementedError

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Prepare nothing."""

    async def run(self, library: Library, ledger: Ledger, point: Failpoint | None) -> bool:
        """Run the command, and return whether it was killed."""
        del ledger
        process = await library.fork(*self.arguments(library), failpoint=point)
        await process.wait()
        assert process.status in {0, None}, process.said
        return process.status is None

    async def run_to_end(self, library: Library, ledger: Ledger) -> None:
        """Run the command, which must succeed."""
        await library.run(*self.arguments(library))
        await self.verify(library, ledger)

    async def verify(self, library: Library, ledger: Ledger) -> None:
        """Check what only this command promises."""


@dataclass
class Upload(_OfServer):
    """Uploads two new files, and one that is there."""

    files: list[bytes] = field(default_factory=list)

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Choose the files."""
        known = ledger.new_picture()
        await client.upload(library, ledger, [known])
        self.files = [ledger.new_picture(), ledger.new_picture(), known]

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Upload them."""
        await client.upload(library, ledger, self.files)


@dataclass
class UploadOfWaitingBytes(Upload):
    """Uploads what a direct upload left PROCESSING."""

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Upload the same bytes in both ways at once."""
        await asyncio.gather(
            _upload_directly(library, ledger, self.files[:1]),
            client.upload(library, ledger, self.files[:1]),
        )


@dataclass
class UploadOfMissingBytes(Upload):
    """Uploads the bytes of an imported image that is in the trash, since its file is gone."""

    settings = NO_WORKER | {"import_grace_days": 30}

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Import two files, and import again without one of them."""
        gone, _ = [_import_file(library, _write_picture(library, ledger)) for _ in range(2)]
        self.files = [gone.read_bytes()]
        await library.run("import", str(_import_folder(library)))
        gone.unlink()
        await library.run("import", str(_import_folder(library)))


@dataclass
class DirectUpload(_OfServer):
    """Sends files to targets, completes these, and waits until the images are found."""

    files: list[bytes] = field(default_factory=list)

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Choose the files."""
        del library
        self.files = [ledger.new_picture() for _ in range(2)]

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Send them, and wait."""
        await _upload_directly(library, ledger, self.files)
        digests = {hashlib.sha256(data).hexdigest() for data in self.files}
        await _wait_until_ready(library, digests)


@dataclass
class Edit(_OfServer):
    """Adds a tag to two images."""

    ids: list[str] = field(default_factory=list)
    tag: str = ""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Choose the images."""
        del library
        self.ids, self.tag = list(ledger.images.values())[:2], f"tag {ledger.random.random()}"

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Add the tag."""
        del ledger
        await ask(library, client.TAG, ids=self.ids, tags=[self.tag])


@dataclass
class Delete(_OfServer):
    """Deletes two images. What a killed server has deleted is not there any more."""

    ids: list[str] = field(default_factory=list)

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Upload what is deleted."""
        await client.upload(library, ledger, [ledger.new_picture() for _ in range(2)])
        self.ids = ledger.take(2)

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Delete what is left of the images."""
        left = {each["id"] for each in await list_images(library)} & set(self.ids)
        await client.delete(library, ledger, sorted(left))
        ledger.deleted.update(self.ids)


@dataclass
class Search(_OfServer):
    """Searches by a text that no one has searched for."""

    text: str = ""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Choose a text."""
        del library
        self.text = f"a boat {ledger.random.random()}"

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Search."""
        del ledger
        await client.search(library, self.text)


@dataclass
class Import(_OfCommand):
    """Imports new pictures of a folder in place."""

    digests: set[str] = field(default_factory=set)
    settings = NO_WORKER

    def arguments(self, library: Library) -> Sequence[str]:
        """Return the command."""
        return "import", str(_import_folder(library))

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Write two files."""
        self.digests |= {_write_picture(library, ledger) for _ in range(2)}

    async def verify(self, library: Library, ledger: Ledger) -> None:
        """Check that each file is an image."""
        images = {each["sha256"]: each["id"] for each in await list_images(library)}
        assert self.digests <= set(images), "an imported picture is missing"
        ledger.images |= {digest: images[digest] for digest in self.digests}


@dataclass
class ImportOfChanges(Import):
    """Imports a folder in which a file is new, one has other bytes and one is gone."""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Change the folder of an earlier import."""
        for _ in range(3):
            self.digests.add(_write_picture(library, ledger))
        await self.run_to_end(library, ledger)
        changed, gone = sorted(_import_folder(library).iterdir())[:2]
        for path in (changed, gone):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.digests.discard(digest)
            ledger.images.pop(digest)
            ledger.gone.add(digest)
        gone.unlink()
        data = ledger.new_picture()
        changed.write_bytes(data)
        self.digests |= {hashlib.sha256(data).hexdigest(), _write_picture(library, ledger)}


@dataclass
class ImportOfCopies(Import):
    """Copies the pictures of a folder into the library."""

    def arguments(self, library: Library) -> Sequence[str]:
        """Return the command."""
        return "import", "--copy", str(_import_folder(library))


@dataclass
class ModelStep(_OfCommand):
    """One command of a change of model: add, promote, rollback or drop."""

    step: str

    def arguments(self, library: Library) -> Sequence[str]:
        """Return the command."""
        names = [] if self.step == "rollback" else [str(_second_model(library))]
        return "models", self.step, *names

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Let the second model be what the command expects."""
        del ledger
        await _try(library, "models", "promote", str(MODEL))
        if self.step == "add":
            await _try(library, "models", "drop", str(_second_model(library)))
            return
        await _add_second_model(library)
        if self.step == "rollback":
            await library.run("models", "promote", str(_second_model(library)))

    async def run_to_end(self, library: Library, ledger: Ledger) -> None:
        """Run the command again. It is refused where the killed one had done everything."""
        await _try(library, *self.arguments(library))
        states = [model["state"] for model in (await ask(library, MODELS))["models"]]
        assert states.count("ACTIVE") == 1, states
        await client.search(library, f"a boat {ledger.random.random()}")
        await client.upload(library, ledger, [ledger.new_picture()])


@dataclass
class Backfill(_OfServer):
    """Embeds the library by a second model, and builds the index."""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Drop the model that an earlier run has added."""
        del ledger
        await _try(library, "models", "drop", str(_second_model(library)))

    async def work(self, library: Library, ledger: Ledger) -> None:
        """Add the model, and wait until it is ready."""
        del ledger
        await _add_second_model(library)


@dataclass
class Sweep(_OfCommand):
    """Removes files that belong to no image."""

    def arguments(self, library: Library) -> Sequence[str]:
        """Return the command."""
        del library
        return ("sweep",)

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Add such files, and let them look old."""
        del ledger
        library.add_orphans()
        library.age_files()

    async def verify(self, library: Library, ledger: Ledger) -> None:
        """Check that they are gone."""
        del ledger
        ids = {each["url"].split("/")[4] for each in await list_images(library)}
        assert library.stored_ids() == ids


@dataclass
class Migration(_OfCommand):
    """Migrates an empty database beside that of the library."""

    database: str = ""

    async def prepare(self, library: Library, ledger: Ledger) -> None:
        """Create the database."""
        del ledger
        self.database = f"empty_{uuid4().hex}"
        await _execute(library, f"CREATE DATABASE {self.database}")

    async def run(self, library: Library, ledger: Ledger, point: Failpoint | None) -> bool:
        """Migrate, and return whether the command was killed."""
        del ledger
        values = self._environment(library)
        process = await library.launcher.fork(["migrate"], environment=values, failpoint=point)
        await process.wait()
        assert process.status in {0, None}, process.said
        return process.status is None

    async def run_to_end(self, library: Library, ledger: Ledger) -> None:
        """Migrate to the end, and check that the tables are those of this version."""
        assert not await self.run(library, ledger, None)
        values = self._environment(library)
        process = await library.launcher.fork(["check"], environment=values)
        await process.wait()
        assert process.status == 0, process.said
        await _execute(library, f"DROP DATABASE {self.database} WITH (FORCE)")

    def _environment(self, library: Library) -> dict[str, str]:
        url = URL.create(
            "postgresql",
            username="pictograph",
            database=self.database,
            query={"host": str(library.socket_folder)},
        ).render_as_string(hide_password=False)
        # The files of the library belong to its own database.
        folder = library.data_folder / self.database
        return environment(library.settings | {"database_url": url, "data_dir": folder})


async def _upload_directly(library: Library, ledger: Ledger, files: Sequence[bytes]) -> None:
    targets = await client.create_targets(library, files)
    for target, data in zip(targets, files, strict=True):
        await client.send(library, target, data)
    await client.complete(library, ledger, targets)


async def _wait_until_ready(library: Library, digests: set[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        images = await list_images(library)
        ready = {each["sha256"] for each in images if each["status"] == "READY"}
        if digests <= ready:
            return
        assert time.monotonic() < deadline, "an image stays PROCESSING"
        await asyncio.sleep(0.2)


def _second_model(library: Library) -> Path:
    """Return the folder of another model than the bundled one, and make it the first time."""
    if not (folder := library.folder / "second").exists():
        second_model(MODEL, folder)
    return folder


async def _add_second_model(library: Library) -> None:
    await library.run("models", "add", str(_second_model(library)))
    await _wait_for_models(library, {"ACTIVE", "READY"})


async def _try(library: Library, *arguments: str) -> None:
    """Run a command to its end, which may be a refusal."""
    process = await library.fork(*arguments)
    await process.wait()
    assert process.status in {0, 1}, process.said
    assert "Unexpected error" not in process.said, process.said


async def _wait_for_models(library: Library, states: set[str]) -> None:
    """Wait until all models have one of these states. Raises Unavailable."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = [model["state"] for model in (await ask(library, MODELS))["models"]]
        if set(found) <= states:
            return
        assert time.monotonic() < deadline, f"the models stay {found}"
        await asyncio.sleep(0.3)


def _import_folder(library: Library) -> Path:
    folder = library.folder / "pictures"
    folder.mkdir(exist_ok=True)
    return folder


def _import_file(library: Library, digest: str) -> Path:
    return _import_folder(library) / f"{digest[:16]}.jpg"


def _write_picture(library: Library, ledger: Ledger) -> str:
    """Write a new file into the folder that is imported, and return its digest."""
    data = ledger.new_picture()
    digest = hashlib.sha256(data).hexdigest()
    _import_file(library, digest).write_bytes(data)
    return digest


async def _execute(library: Library, statement: str) -> None:
    connection = await asyncpg.connect(
        host=str(library.socket_folder), user="pictograph", database="postgres"
    )
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
