"""What the domain needs from the world. Adapters match these by shape and never inherit them."""

from __future__ import annotations

from domain.ports.encoding import Encoder, Models, Space
from domain.ports.files import Imaging, Places, Reception, Sources, Staging, Storage
from domain.ports.library import Catalog, Clock, Duplicates, Keys, Searches
from domain.ports.working import Events, Gaps, Objects, Targets, Work

__all__ = [
    "Catalog",
    "Clock",
    "Duplicates",
    "Encoder",
    "Events",
    "Gaps",
    "Imaging",
    "Keys",
    "Models",
    "Objects",
    "Places",
    "Reception",
    "Searches",
    "Sources",
    "Space",
    "Staging",
    "Storage",
    "Targets",
    "Work",
]
