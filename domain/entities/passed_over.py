"""Files that an import passes over by their names: they are no pictures, and only counted."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import unquote

from domain.entities.exclusions import Exclusions


class PassedOver(StrEnum):
    """Why a file is passed over, as the plural that people read."""

    SIDECAR = "sidecars"
    VIDEO = "videos"
    SYSTEM = "system files"
    OTHER = "other files"


SYSTEM_FOLDERS = Exclusions(
    (
        # Thumbnails, snapshots and trash of network storages.
        *("@eadir/", "#recycle/", "@recycle/", "#snapshot/", "@recently-snapshot/", "@tmp/"),
        ".@__thumb/",
        # Of Windows.
        *("$recycle.bin/", "recycler/", "system volume information/"),
        # Of macOS, also in archives that it writes.
        *("__macosx/", ".appledouble/", ".trashes/", ".spotlight-v100/", ".fseventsd/"),
        *("lost+found/", ".thumbnails/", ".trash/"),
        # Of the libraries of Photos and Lightroom all but the originals.
        *(f"**/*.photoslibrary/{part}/" for part in ("database", "internal", "private")),
        *(f"**/*.photolibrary/{part}/" for part in ("thumbnails", "previews")),
        *(f"**/*.{library}/resources/" for library in ("photoslibrary", "photolibrary")),
        "*.lrdata/",
    )
)
"""Folders of systems and programs, in lower case, whose pictures are copies or thrown away."""

SYSTEM_FILES = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *(".ds_store", "icon\r", ".nomedia", "picasa.ini", ".picasa.ini"),
    }
)
RESOURCE_FORK_PREFIX = "._"
"""What macOS keeps of a file on disks of others: ``._a.jpg`` beside ``a.jpg``."""

SUFFIXES = {
    PassedOver.SIDECAR: "xmp aae thm json pp3 dop cos on1 arp xml",
    PassedOver.VIDEO: "mp4 mov m4v avi mkv webm mts m2ts mpg mpeg mpe 3gp 3g2 wmv flv ogv vob lrv "
    "insv asf divx",
    PassedOver.OTHER: "txt md pdf doc docx xls xlsx ppt pptx odt ods odp rtf csv htm html url ini "
    "log db sqlite lrcat mp3 m4a wav aac flac ogg opus wma amr zip rar 7z gz tar exe dll bat sh "
    "py js css srt vtt gpx kml kmz torrent part crdownload",
}
KINDS_BY_SUFFIX = {
    suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes.split()
}


def passed_over_as(location: str, *, root: str = "") -> PassedOver | None:
    """Return why a file is passed over, or None for one that may be a picture.

    ``location`` is a location or a path. Folders count below ``root`` only: users who name a
    system folder want what is in it.
    """
    path = unquote(location.removeprefix(root)).lower()
    name = path.rpartition("/")[2]
    if name in SYSTEM_FILES or name.startswith(RESOURCE_FORK_PREFIX):
        return PassedOver.SYSTEM
    if SYSTEM_FOLDERS.excludes(path):
        return PassedOver.SYSTEM
    return KINDS_BY_SUFFIX.get(name.rpartition(".")[2]) if "." in name else None
