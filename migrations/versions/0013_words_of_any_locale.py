"""Find words in databases of any locale: in C, no letter outside ASCII is one, or has a lower case.

Only the function of such a database gets a collation, and only its images are indexed again.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

IMAGE_QUERY = """
    CREATE OR REPLACE FUNCTION image_query(keywords text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN websearch_to_tsquery('simple'::regconfig, {keywords})
"""
IMAGE_WORDS = """
    CREATE OR REPLACE FUNCTION image_words(filename text, alt_text text, tags text[])
    RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN to_tsvector(
        'simple'::regconfig,
        regexp_replace({words}, '[^[:alnum:]]+', ' ', 'g')
    )
"""
BOUNDED_TEXT = "left(concat_ws(' ', filename, alt_text, array_to_string(tags, ' ')), 100000)"
KNOWS_LETTERS = "lower('IÜЯ'{collate}) = 'iüя' AND 'ü東' ~ ('^[[:alnum:]]+$'{collate})"
# The builtin one since PostgreSQL 17, then that of ICU, and those of operating systems.
CANDIDATES = ("pg_c_utf8", "und-x-icu", "C.utf8", "C.UTF-8", "en_US.utf8", "en_US.UTF-8")

USE_A_COLLATION = f"""
    DO $migration$
    DECLARE
        candidate text;
        is_good boolean;
    BEGIN
        IF {KNOWS_LETTERS.format(collate="")} THEN
            RETURN;
        END IF;
        FOREACH candidate IN ARRAY ARRAY{list(CANDIDATES)} LOOP
            IF NOT EXISTS (
                SELECT FROM pg_collation WHERE collname = candidate
                AND collencoding IN (-1, pg_char_to_encoding('UTF8'))
            ) THEN
                CONTINUE;
            END IF;
            EXECUTE format(
                $sql$ SELECT {KNOWS_LETTERS.format(collate=" COLLATE %1$I")} $sql$, candidate
            ) INTO is_good;
            IF is_good THEN
                EXECUTE format(
                    $sql$ {IMAGE_WORDS.format(words=f"lower({BOUNDED_TEXT} COLLATE %1$I)")} $sql$,
                    candidate
                );
                EXECUTE format(
                    $sql$ {IMAGE_QUERY.format(keywords="lower(keywords COLLATE %1$I)")} $sql$,
                    candidate
                );
                ALTER TABLE images DROP COLUMN words;
                ALTER TABLE images ADD COLUMN words tsvector
                    GENERATED ALWAYS AS (image_words(filename, alt_text, tags)) STORED;
                CREATE INDEX images_by_words ON images USING gin (words);
                RETURN;
            END IF;
        END LOOP;
        RAISE EXCEPTION 'no collation of this database knows letters outside ASCII';
    END
    $migration$
"""


def upgrade() -> None:
    """Create the function for queries, and replace both functions where the locale needs it."""
    op.execute(IMAGE_QUERY.format(keywords="keywords"))
    op.execute(USE_A_COLLATION)


def downgrade() -> None:
    """Drop the function for queries. Words that are indexed stay so."""
    op.execute("DROP FUNCTION image_query")
    op.execute(IMAGE_WORDS.format(words=BOUNDED_TEXT))
