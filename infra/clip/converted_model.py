"""The files of a converted model, which say all that the engine needs to know of the checkpoint."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from stat import S_IWGRP, S_IWOTH
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol

from infra.clip.preprocessing import Preprocessing
from infra.clip.tokenization import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

FORMAT_VERSION = 2
"""Part of the key of a converted model. Change it when older conversions have to be repeated."""

Weights = Literal["float16", "float32"]

FACTS_FILE = "model.json"
TEMPORARY = ".writing-"
"""How the folders start in which models are written."""
ABANDONED_AFTER_SECONDS = 3600

FOLDER_MODE, FILE_MODE = 0o755, 0o644
"""Whatever the umask: other users may read converted models, and not change them."""

TEXT_TOWER, IMAGE_TOWER = "text.xml", "image.xml"

logger = logging.getLogger(__name__)


class DamagedError(Exception):
    """The files of a converted model are incomplete, or are not as they were written."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Embeddings by the checkpoint itself, in float32, of ``probes.TEXTS`` and its pictures."""

    texts: list[list[float]]
    pictures: list[list[float]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a converted model is, beside its towers and its vocabulary."""

    dimensions: int
    logit_scale: float
    tokens: Tokens
    preprocessing: Preprocessing
    probes: Probes

    def write(self, folder: Path) -> None:
        """Write them beside the other files, with the size of each."""
        sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        (folder / FACTS_FILE).write_text(json.dumps({"sizes": sizes, "facts": asdict(self)}))

    @classmethod
    def read(cls, folder: Path) -> Facts:
        """Read them. Raises DamagedError, also if another file has another size than it had."""
        try:
            content: dict[str, Any] = json.loads((folder / FACTS_FILE).read_bytes())
            for name, size in content["sizes"].items():
                if (folder / name).stat().st_size != size:
                    raise DamagedError(f"{folder / name} has another size than it had")
            facts = content["facts"]
            return cls(
                dimensions=facts["dimensions"],
                logit_scale=facts["logit_scale"],
                tokens=Tokens(**facts["tokens"]),
                preprocessing=Preprocessing.from_json(facts["preprocessing"]),
                probes=Probes(**facts["probes"]),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedError(f"{folder / FACTS_FILE} cannot be read ({error})") from error


class CacheKey(Protocol):
    """Names the folder of one model in a cache."""

    @property
    def folder(self) -> str:
        """The name of the model's folder."""

    def replaces(self, folder: str) -> bool:
        """Return whether the model, newly written, makes that of another folder useless."""


@dataclass(frozen=True, slots=True)
class ConversionKey:
    """What a conversion was made of, and by what."""

    files: str
    """The digest of the model's files."""
    versions: str
    """The versions of the format and of OpenVINO."""
    weights: Weights
    """The precision that the weights are stored in."""

    @property
    def folder(self) -> str:
        """The name of the conversion's folder in a cache."""
        return f"{self._same_files}{self.weights}-{self._made_by}"

    def replaces(self, folder: str) -> bool:
        """Return whether a folder has a conversion of the same files by other versions."""
        return folder.startswith(self._same_files) and not folder.endswith(self._made_by)

    @property
    def _same_files(self) -> str:
        return f"{self.files[:32]}-"

    @property
    def _made_by(self) -> str:
        return hashlib.sha256(self.versions.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class ModelCache:
    """Folders of converted models, each by its key. Several processes may share them.

    The first folder that can be written gets new models.
    """

    folders: tuple[Path, ...]

    def find(self, key: CacheKey) -> Iterator[Path]:
        """Return the folders that the model with this key has, of which some may be damaged."""
        for parent in self.folders:
            folder = parent / key.folder
            with suppress(OSError):  # a folder that may not be entered
                if folder.is_dir() and _is_trusted(parent) and _is_trusted(folder):
                    yield folder

    @contextmanager
    def writing(
        self, key: CacheKey | None, damaged: AbstractSet[Path] = frozenset()
    ) -> Iterator[Path]:
        """Have a model written into an empty folder, which becomes that of the key if there is one.

        A model appears with all its files. It replaces one of ``damaged``, and those of the same
        files by other versions. Where no folder of the cache can be written, it is only there for
        the block. Raises OSError.
        """
        parent = next(filter(_is_writable, self.folders), None) if key else None
        if parent:
            _remove_abandoned(parent)
        with TemporaryDirectory(prefix=TEMPORARY, dir=parent) as temporary:
            new = Path(temporary, "new")
            new.mkdir(FOLDER_MODE)
            yield new
            if parent and key:
                final = parent / key.folder
                if final in damaged:
                    with suppress(FileNotFoundError):
                        final.rename(Path(temporary, "damaged"))
                for file in new.iterdir():
                    file.chmod(FILE_MODE)
                _appear(new, final)
                for other in parent.iterdir():
                    if key.replaces(other.name):
                        rmtree(other, ignore_errors=True)


def _is_trusted(folder: Path) -> bool:
    """Whether only root, this user and its groups can write into a folder.

    OpenVINO parses what is there in native code. Volumes of Kubernetes can be written by a group
    of their processes. Raises OSError.
    """
    status = folder.stat()
    is_ours = status.st_uid in (0, os.geteuid())
    is_closed = not status.st_mode & S_IWGRP or status.st_gid in (os.getegid(), *os.getgroups())
    trusted = is_ours and is_closed and not status.st_mode & S_IWOTH
    if not trusted:
        logger.warning("converted models in %s are not used: other users may change it", folder)
    return trusted


def _remove_abandoned(parent: Path) -> None:
    """Remove what processes that were killed while they converted have left."""
    for folder in parent.glob(f"{TEMPORARY}*"):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                rmtree(folder, ignore_errors=True)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=TEMPORARY, dir=folder):
            return _is_trusted(folder)
    except OSError as error:
        logger.warning("converted models cannot be kept in %s: %s", folder, error)
        return False


def _appear(new: Path, final: Path) -> None:
    try:
        new.rename(final)
    except OSError:
        # Another process was faster, and its conversion is as good as this one.
        if not final.is_dir():
            raise
