"""Downloads GraphiQL with npm and verifies it: ``python -m graph.http.fetch_graphiql [FOLDER]``."""

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

NPM_TIMEOUT_SECONDS = 300


def fetch(folder: Path, *, pack: Callable[[str, Path], Path]) -> None:
    """Write every missing file to ``folder``. Raises ValueError for an unexpected content."""
    folder.mkdir(parents=True, exist_ok=True)
    missing: dict[str, list[Asset]] = {}
    for asset in ASSETS:
        if not asset.is_in(folder):
            missing.setdefault(f"{asset.package}@{asset.version}", []).append(asset)
    with tempfile.TemporaryDirectory() as scratch:
        for package, assets in missing.items():
            with tarfile.open(pack(package, Path(scratch))) as archive:
                for asset in assets:
                    (folder / asset.name).write_bytes(_content(archive, asset))


def npm_pack(package: str, scratch: Path) -> Path:
    """Download a package with npm, and return the path of its archive."""
    npm = shutil.which("npm") or "npm"
    done = subprocess.run(  # noqa: S603 - the packages are constants
        [npm, "pack", "--silent", package],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
        timeout=NPM_TIMEOUT_SECONDS,
    )
    return scratch / done.stdout.split()[-1]


def main(arguments: Sequence[str]) -> int:
    """Fetch the missing files. Without npm or network, print that the page uses the CDN."""
    folder = Path(arguments[0]) if arguments else HttpOptions().graphiql_assets
    try:
        fetch(folder, pack=npm_pack)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        sys.stderr.write(
            f"GraphiQL is loaded from its CDN, since it could not be downloaded: {error}\n"
        )
    return 0


def _content(archive: tarfile.TarFile, asset: Asset) -> bytes:
    member = archive.extractfile(f"package/{asset.path}")
    content = member.read() if member else b""
    if sha256(content).hexdigest() != asset.sha256:
        raise ValueError(
            f"{asset.package}@{asset.version}/{asset.path} does not have the expected SHA-256"
        )
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
