"""``python -m tests.browser.prepare``: see that Chromium and axe-core are here, or get them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from graph.http.fetch_graphiql import npm_pack
from graph.http.graphiql_assets import Asset

BUILD = Path(__file__).parents[2] / "build" / "browser"
AXE = Asset(
    name="axe.js",
    package="axe-core",
    version="4.14.1",
    path="axe.min.js",
    sha256="29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "The browser tests need Chromium, and there is none: install it "
    "(on Debian: apt-get install chromium), or name one in CHROMIUM=/path/to/it.\n"
)
NO_AXE = "The browser tests need {package} {version}, which npm did not bring: {error}\n"


def chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def axe() -> Path:
    """Return the file of axe-core, fetched with npm and checked where it was not here."""
    if not AXE.is_in(BUILD):
        BUILD.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as scratch:
            archive = npm_pack(f"{AXE.package}@{AXE.version}", Path(scratch))
            with tarfile.open(archive) as packed:
                member = packed.extractfile(f"package/{AXE.path}")
                content = member.read() if member else b""
        if sha256(content).hexdigest() != AXE.sha256:
            raise ValueError(f"{AXE.package}/{AXE.path} is not the file expected")
        (BUILD / AXE.name).write_bytes(content)
    return BUILD / AXE.name


def main() -> int:
    """Install what is missing, where this is ours to do, or else say how to."""
    if not chromium():
        _install()
    if not chromium():
        sys.stderr.write(MISSING)
        return 1
    try:
        axe()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(NO_AXE.format(package=AXE.package, version=AXE.version, error=error))
        return 1
    return 0


def _install() -> None:
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        # Like this in throw-away machines; anybody else decides for themselves.
        options = ["-y", "--no-install-recommends", "-qq"]
        subprocess.run([apt, "update", "-qq"], check=False)
        subprocess.run(
            [apt, "install", *options, "chromium", "fonts-dejavu-core"],
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


if __name__ == "__main__":
    sys.exit(main())
