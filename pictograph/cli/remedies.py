"""Names the settings, options and commands that remedy a refusal."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Remedy

if TYPE_CHECKING:
    from domain.errors import Refusal


def bundled_model() -> Path:
    """Return the folder of the bundled model, whose package is not imported."""
    package = find_spec("postcards")
    return Path(package.origin if package and package.origin else "postcards").parent / "model"


REMEDIES = {
    Remedy.CHECK_STORAGE: "Check PICTOGRAPH_DATABASE_URL, PICTOGRAPH_DATA_DIR and the bucket, or "
    "add --even-everything.",
    Remedy.CLAIM_STORAGE: "Check PICTOGRAPH_DATABASE_URL, PICTOGRAPH_DATA_DIR, and the bucket with "
    "its prefix; if these files are this database's, run `pictograph claim`.",
    Remedy.CHECK_PLACE: "Check that the folder or bucket is complete, or add --even-everything.",
    Remedy.LIST_OBJECTS: "Write their names to a file, and import it with --manifest.",
    Remedy.CHANGE_MODEL: "`pictograph models add` adds a model, and PICTOGRAPH_MODEL is the "
    "configured one.",
    Remedy.START_SERVER: "Set PICTOGRAPH_MODEL to this model, and start the server.",
    Remedy.USE_BUNDLED_MODEL: "The bundled model, which knows only postcards, needs no network: "
    f"PICTOGRAPH_MODEL={bundled_model()}.",
    Remedy.SHOW_MODELS: "`pictograph models status` shows which models can be promoted.",
    Remedy.WATCH_MODELS: "`pictograph models status --watch` shows the progress.",
    Remedy.ADD_MODEL: "`pictograph models add` adds it again.",
    Remedy.PROMOTE_INCOMPLETE: "`pictograph models status` shows the errors, and "
    "--even-incomplete promotes it anyway.",
}


def sentence_of(refusal: Refusal) -> str:
    """Return the sentence of a refusal, followed by its remedy."""
    if refusal.remedy is None:
        return refusal.message
    return f"{refusal.message} {REMEDIES[refusal.remedy]}"
