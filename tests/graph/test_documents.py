"""The documents name queries, commands, options, settings, links and files that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import build_schema, parse, validate
from typer.main import get_command

from infra.embedded_postgres.account import Account
from infra.embedded_postgres.cluster import Cluster
from infra.settings import ENV_PREFIX, Settings
from pictograph.cli import main as cli
from pictograph.cli.main import DeferredCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
MAPS = [ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/decisions/*.md"))]
"""The documents that name files of the code."""
VARIABLES_OF_TESTS = {f"{ENV_PREFIX}TESTS_COLD"}

document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every `pictograph ...` of a document: in lines of shell and in prose."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for command in re.findall(r"^(?:.* )?pictograph (.+)$", block, re.MULTILINE):
            yield shlex.split(command, comments=True)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for shown in re.findall(r"`pictograph ([^`]*)`", prose):
        yield shlex.split(shown)


def command_at(command: Any, name: str) -> Any:  # noqa: ANN401 - of typer
    """Return the command of a group by its name, imported; None if there is none."""
    below: Any = getattr(command, "commands", {}).get(name)
    return below.imported() if isinstance(below, DeferredCommand) else below


def refused(words: list[str]) -> list[str]:
    """Return those words of a command that the program does not know."""
    command: Any = get_command(cli.cli)
    words = list(words)
    while words and (below := command_at(command, words[0])):
        command = below
        words.pop(0)
    options = {"--help", *(name for parameter in command.params for name in parameter.opts)}
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    unknown = [name for name in named if name not in options]
    # `pictograph keys create / list / revoke` and `pictograph models` name a group.
    alone = hasattr(command, "commands") and any(word.isalpha() for word in words[:1])
    return unknown + words[:1] if alone else unknown


@document
def test_every_query_is_one_of_the_schema(path: Path) -> None:
    schema = build_schema((ROOT / "graph" / "schema.graphql").read_text(encoding="utf-8"))
    for query in re.findall(r"```graphql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        assert [] == validate(schema, parse(query))


@document
def test_every_command_is_there_with_its_options(path: Path) -> None:
    for words in commands(path.read_text(encoding="utf-8")):
        assert [] == refused(words), words


def test_a_command_that_is_not_there_would_be_found() -> None:
    assert ["--sweep-it"] == refused(["sweep", "--sweep-it"])
    assert ["demolish"] == refused(["demolish"])
    assert ["remove"] == refused(["models", "remove", "a-model"])
    assert [] == refused(["models", "compare", "a dog", "--with", "another"])


@document
def test_every_setting_is_one(path: Path) -> None:
    names = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    known = names | {f"{name}_FILE" for name in names} | VARIABLES_OF_TESTS
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z0-9_]+", path.read_text(encoding="utf-8")))
    assert set() == named - known


@document
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, part = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if part:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]
            assert part in anchors, link


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.name)
def test_every_file_is_where_the_document_says(path: Path) -> None:
    made = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    folders = "|".join(
        each.name for each in ROOT.iterdir() if each.is_dir() and f"{each.name}/" not in made
    )
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", path.read_text(encoding="utf-8"))
    assert named
    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_a_backup_looks_for_the_file_that_a_running_cluster_has() -> None:
    shown = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    [folder] = re.findall(r'test ! -e "\$PICTOGRAPH_DATA_DIR/(.*)/postmaster\.pid"', shown)
    cluster = Cluster(Path("postgres"), Account(uid=0, gid=0), binaries=Path())
    assert Path(folder) == cluster.data_folder


BASES = ((), ("domain/entities",), ("domain/use_cases",), ("graph", "pictograph"), ("infra",))
"""Where the names in each column of CONTRIBUTING's table of files are; else they are full paths."""
MAPPED = ("domain/entities", "domain/use_cases", "domain/runtime", "graph", "infra", "pictograph")


def test_the_table_of_files_names_every_file_and_no_other() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Which file has it\n")[2].partition("\n## ")[0]
    named = set()
    for row in re.findall(r"^\| (?!subject|-)(.*) \|$", table, re.MULTILINE):
        for bases, cell in zip(BASES, row.split(" |"), strict=True):
            for name in re.findall(r"`([\w./]+(?:\.py|/))`", cell):
                [path] = [p for base in (*bases, "") if (p := ROOT / base / name).exists()]
                named.add(path)
    modules = {
        path
        for folder in MAPPED
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    missing = {path for path in modules if not named & {path, *path.parents}}
    assert [] == sorted(path.relative_to(ROOT).as_posix() for path in missing)
