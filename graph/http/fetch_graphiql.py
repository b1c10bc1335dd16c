"""Fetch GraphiQL with npm and check it: ``python -m graph.http.fetch_graphiql [FOLDER]``."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from graph.http.graphiql_assets import ASSETS, Asset
from graph.http.options import HttpOptions

MINUTES = 5


def fetch(folder: Path, *, pack: Callable[[str, Path], Path]) -> None:
    """Put every file into ``folder``. Raises ValueError for one that is not what it should be."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, list[Asset]] = {}
    for asset in ASSETS:
        if not asset.is_in(folder):
            wanted.setdefault(f"{asset.package}@{asset.version}", []).append(asset)
    with tempfile.TemporaryDirectory() as scratch:
        for package, assets in wanted.items():
            with tarfile.open(pack(package, Path(scratch))) as archive:
                for asset in assets:
                    (folder / asset.name).write_bytes(_content(archive, asset))


def npm_pack(package: str, scratch: Path) -> Path:
    """Download a package with npm, and return its archive."""
    npm = shutil.which("npm") or "npm"
    done = subprocess.run(  # noqa: S603 - the names are the ones above
        [npm, "pack", "--silent", package],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
    )
    return scratch / done.stdout.split()[-1]


def main(arguments: Sequence[str]) -> int:
    """Fetch what is missing. Without npm or network, say what the page does instead."""
    folder = Path(arguments[0]) if arguments else HttpOptions().graphiql_assets
    try:
        fetch(folder, pack=npm_pack)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(f"GraphiQL stays on its CDN, since its files did not come: {error}\n")
    return 0


def _content(archive: tarfile.TarFile, asset: Asset) -> bytes:
    member = archive.extractfile(f"package/{asset.path}")
    content = member.read() if member else b""
    if sha256(content).hexdigest() != asset.sha256:
        raise ValueError(f"{asset.package}@{asset.version}/{asset.path} is not the file expected")
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
