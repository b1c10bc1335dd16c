"""The trash: how long deleted images can be restored.

Missing images are in the trash, too, for MISSING_GRACE_PERIOD instead.
"""

from __future__ import annotations

from datetime import timedelta

DEFAULT_TRASH_LIFETIME = timedelta(days=30)

TRASH_BATCH_SIZE = 500
"""How many expired images are deleted for good at a time."""
