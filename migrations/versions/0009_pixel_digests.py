"""Forget the hashes of large pictures, which are computed in another way now.

A server computes them again from the originals, in the background.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# Of pictures that are reduced before their pixels are hashed. The digests of their objects follow
# when the hashes are stored again.
FORGET_HASHES = """
    UPDATE images SET perceptual_hash = NULL, pixel_sha256 = NULL
    WHERE greatest(width, height) > 1600
"""


def upgrade() -> None:
    """Forget the hashes."""
    op.execute(FORGET_HASHES)


def downgrade() -> None:
    """Forget the hashes, so that the earlier version computes its own."""
    op.execute(FORGET_HASHES)
