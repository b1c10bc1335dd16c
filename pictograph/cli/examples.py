"""The examples at the end of each command's help."""

from __future__ import annotations

EXAMPLES = {
    "": """
        pictograph demo
        pictograph import ~/Pictures
        pictograph search "a dog on a beach"
        pictograph serve""",
    "serve": """
        pictograph serve
        pictograph serve --port 9000
        PICTOGRAPH_API_KEY=choose-a-long-one pictograph serve --host 0.0.0.0""",
    "demo": """
        pictograph demo
        pictograph demo --port 9000 --postcards 100""",
    "migrate": """
        PICTOGRAPH_DATABASE_URL=postgresql://me@host/photos pictograph migrate
        pictograph migrate --create-bucket""",
    "worker": """
        pictograph worker""",
    "import": """
        pictograph import ~/Pictures --tag holiday
        pictograph import photo.jpg
        pictograph import s3://bucket/2024 --dry-run
        pictograph import ~/Pictures --retry""",
    "search": """
        pictograph search "a harbour" --unlike boats --taken-from 2024-05
        pictograph search --image photo.jpg --like "at night^2"
        pictograph search "a dog" --first 3 --json
        pictograph search "a dog" --open""",
    "tune": """
        pictograph tune
        pictograph tune --recall .99 --explain --chart recall.svg""",
    "sweep": """
        pictograph sweep""",
    "check": """
        pictograph check
        pictograph check --repair --scrub""",
    "claim": """
        pictograph claim""",
    "doctor": """
        pictograph doctor
        PICTOGRAPH_MODEL=google/siglip-base-patch16-224 pictograph doctor""",
    "export-schema": """
        pictograph export-schema schema.graphql""",
    "keys": """
        pictograph keys create "my app" --scope write
        pictograph keys list""",
    "keys create": """
        pictograph keys create "my app" --scope write""",
    "keys list": """
        pictograph keys list""",
    "keys revoke": """
        pictograph keys revoke 0197fd5a-0000-7000-8000-000000000000""",
    "models": """
        pictograph models add google/siglip-base-patch16-224
        pictograph models status --watch
        pictograph models promote siglip""",
    "models add": """
        pictograph models add google/siglip-base-patch16-224
        pictograph models add ~/models/clip""",
    "models status": """
        pictograph models status --watch""",
    "models compare": """
        pictograph models compare "a dog" @queries.txt --with siglip""",
    "models promote": """
        pictograph models promote siglip""",
    "models rollback": """
        pictograph models rollback""",
    "models drop": """
        pictograph models drop siglip""",
}


def examples_of(command: str) -> str:
    """Return the examples of a command as the end of its help."""
    # rich takes words in brackets for styles, and \b keeps the lines apart.
    lines = "\n".join(f"  {line.strip()}" for line in EXAMPLES[command].strip().splitlines())
    return f"\b\nExamples:\n{lines}"
