"""Create the tables of images, models, embeddings, kept searches and API keys."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

UP = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    # A generated column needs an immutable function. array_to_string is only stable, as its result
    # can depend on the element type; for text it is immutable. Punctuation separates words, so that
    # boat finds red-boat.jpg. The text is bounded, as a tsvector has at most 1 MB.
    """
    CREATE FUNCTION image_words(filename text, alt_text text, tags text[]) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN to_tsvector(
        'simple'::regconfig,
        regexp_replace(
            left(concat_ws(' ', filename, alt_text, array_to_string(tags, ' ')), 100000),
            '[^[:alnum:]]+', ' ', 'g'
        )
    )
    """,
    """
    CREATE TABLE images (
        id uuid PRIMARY KEY,
        sha256 text NOT NULL UNIQUE,
        filename text NOT NULL,
        content_type text NOT NULL,
        byte_size bigint NOT NULL,
        created_at timestamptz NOT NULL,
        status text NOT NULL,
        failure_reason text,
        width integer,
        height integer,
        placeholder text,
        alt_text text,
        tags text[] NOT NULL,
        taken_at timestamptz,
        camera_make text,
        camera_model text,
        latitude double precision,
        longitude double precision,
        exif jsonb,
        words tsvector GENERATED ALWAYS AS (image_words(filename, alt_text, tags)) STORED
    )
    """,
    "CREATE INDEX images_by_created_at ON images (created_at, id)",
    "CREATE INDEX images_by_taken_at ON images ((COALESCE(taken_at, 'infinity'::timestamptz)), id)",
    """
    CREATE INDEX images_by_taken_at_desc
    ON images ((COALESCE(taken_at, '-infinity'::timestamptz)), id)
    """,
    'CREATE INDEX images_by_filename ON images (filename COLLATE "C", id)',
    "CREATE INDEX images_by_byte_size ON images (byte_size, id)",
    "CREATE INDEX images_by_place ON images (latitude, longitude)",
    "CREATE INDEX images_by_camera ON images (camera_make, camera_model)",
    "CREATE INDEX images_by_tags ON images USING gin (tags)",
    "CREATE INDEX images_by_words ON images USING gin (words)",
    """
    CREATE TABLE models (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        dimensions integer NOT NULL,
        state text NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX models_by_name ON models (name, dimensions)",
    "CREATE UNIQUE INDEX models_one_active ON models (state) WHERE state = 'active'",
    """
    CREATE TABLE embeddings (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        model_id integer NOT NULL REFERENCES models (id),
        embedding vector NOT NULL,
        PRIMARY KEY (image_id, model_id)
    ) PARTITION BY LIST (model_id)
    """,
    """
    CREATE UNLOGGED TABLE searches (
        id uuid PRIMARY KEY,
        created_at timestamptz NOT NULL,
        model text NOT NULL,
        kind text NOT NULL,
        embedding double precision[] NOT NULL,
        question text NOT NULL,
        conditions text NOT NULL,
        image_ids uuid[] NOT NULL,
        scores double precision[] NOT NULL,
        exact boolean NOT NULL
    )
    """,
    "CREATE INDEX searches_by_created_at ON searches (created_at)",
    """
    CREATE TABLE api_keys (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL UNIQUE,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
)

DOWN = (
    "DROP TABLE api_keys, searches, embeddings, models, images",
    "DROP FUNCTION image_words",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables. The extension is kept: other tables of the database may use it."""
    for statement in DOWN:
        op.execute(statement)
