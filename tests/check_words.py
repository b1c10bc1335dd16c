"""``python -m tests.check_words``: checks the words of prose, and the names of constants.

It fails on tell-tale words in docstrings, comments, sentences of string literals and documentation,
and on two modules of the product that give a constant of one name different values. With
``--report`` it prints only how many findings there are by folder and by word.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
PRODUCT = ("domain", "graph", "infra", "migrations", "pictograph", "postcards")
SUFFIXES = {".css", ".html", ".js", ".py"}
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
# Fetched or generated files, which are not written here.
SKIPPED_FOLDERS = {"__pycache__", "assets"}
# The string literals of this folder are the words of captions. Only what it prints is prose.
CAPTIONS = "postcards/"

# Each word with the pattern that finds its forms, and with plain English in its place.
TELL_TALES = {
    "whoever": ("who(m)?ever", "name the caller, or say `callers that`"),
    "nobody": ("nobody", "no user, no caller, nothing"),
    "somebody": ("somebody", "a user, a caller, another process"),
    "anybody": ("anybody", "any user, any caller"),
    "everybody": ("everybody", "every user, every caller"),
    "is none": (
        r"(?<!there )(is|are|was|were|be)\s+(?-i:none)",
        "there is no ..., is not a ..., is missing",
    ),
    "lies": ("(lie|lies|lying|lain)", "is in, is at, is stored in"),
    "has had": (r"(has|have|had|having)\s+had", "has processed, has read, has received"),
    "comes home": (r"(come|comes|came|coming)\s+home", "returns, arrives"),
    "is let be": (r"(is|are|was|were|be)\s+let\s+be", "is left unchanged"),
}
PATTERNS = {
    word: re.compile(rf"\b{forms}\b", re.IGNORECASE) for word, (forms, _) in TELL_TALES.items()
}

# Constants whose values may differ between modules, with the reason.
DIFFERING_CONSTANTS = {
    "T": "the conventional name of a type variable",
    "UP": "the statements of a migration, one of the two names that each migration has",
    "DOWN": "the same",
}
CONSTANTS = "constants"

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
_SENTENCE_MIN_WORDS = 3
_SHOWN_CHARACTERS = 70  # on each side of a word
_LITERAL_ENDS = re.compile(r"""^\s*[rbfuRBFU]{0,2}(\"{3}|'{3}|["'])|(\"{3}|'{3}|["'])\s*$""")
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_SCRIPT = re.compile(
    r"(//[^\n]*(\n\s*//[^\n]*)*)"
    r"|(/\*.*?\*/)"
    r"|(\"(\\.|[^\"\\\n])*\"|'(\\.|[^'\\\n])*'|`(\\.|[^`\\])*`)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive lines of prose, and the number of the first."""

    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong at a line of a file, and the words or the value that show it."""

    path: str
    line: int
    subject: str
    shown: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.subject}: {self.shown}"


def findings(root: Path) -> list[Finding]:
    """Return all findings below a folder, sorted by path and line."""
    sources = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in _files(root)}
    found = {*differing_constants(sources)}
    for path, source in sources.items():
        found.update(tell_tales(path, source))
    return sorted(found)


def tell_tales(path: str, source: str) -> Iterator[Finding]:
    """Yield the tell-tale words in the prose of a file."""
    for passage in _passages(path, source):
        text = "\n".join(passage.lines)
        prose = _INLINE_CODE.sub(lambda code: "`" * len(code[0]), text)
        for word, pattern in PATTERNS.items():
            for match in pattern.finditer(prose):
                line = passage.first_line + text.count("\n", 0, match.start())
                yield Finding(path, line, word, _around(text, match.span()))


def differing_constants(sources: Mapping[str, str]) -> Iterator[Finding]:
    """Yield each definition of a constant that modules define with different values.

    Values are compared as literals, and as source where they are not literals. A leading underscore
    does not make another name.
    """
    definitions: dict[str, list[Finding]] = defaultdict(list)
    for path, source in sources.items():
        if path.endswith(".py"):
            for name, line, value in _constants(source):
                definitions[name.removeprefix("_")].append(Finding(path, line, CONSTANTS, value))
    for name, found in definitions.items():
        differ = len({definition.shown for definition in found}) > 1
        if differ and name not in DIFFERING_CONSTANTS and len({one.path for one in found}) > 1:
            for definition in found:
                value = " ".join(definition.shown.split())[: 2 * _SHOWN_CHARACTERS]
                shown = f"{name} = {value}"
                yield Finding(definition.path, definition.line, CONSTANTS, shown)


def report(found: Iterable[Finding]) -> str:
    """Return the numbers of tell-tale words and constants by folder, and those of each word."""
    folders: dict[str, Counter[bool]] = defaultdict(Counter)
    subjects: Counter[str] = Counter()
    for finding in found:
        is_constant = finding.subject == CONSTANTS
        folders[finding.path.rpartition("/")[0] or "."][is_constant] += 1
        folders["total"][is_constant] += 1
        subjects[finding.subject] += 1
    lines = [" words  constants  folder"]
    for folder, counts in sorted(folders.items(), key=lambda item: (item[0] == "total", item[0])):
        lines.append(f"{counts[False]:6}  {counts[True]:9}  {folder}")
    lines += ["", *(f"{count:6}  {subject}" for subject, count in subjects.most_common())]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print findings, or with ``--report`` their numbers, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.check_words")
    parser.add_argument("--report", action="store_true", help="print only counts, and succeed")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="a checkout")
    options = parser.parse_args(arguments)
    found = findings(options.root)
    if options.report:
        sys.stdout.write(f"{report(found)}\n")
        return 0
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    for word in sorted({finding.subject for finding in found} & {*TELL_TALES}):
        sys.stdout.write(f"In place of {word!r}: {TELL_TALES[word][1]}.\n")
    return int(bool(found))


def _files(root: Path) -> Iterator[Path]:
    for folder in PRODUCT:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and not SKIPPED_FOLDERS & {*path.parts}:
                yield path
    for pattern in DOCUMENTS:
        yield from sorted(root.glob(pattern))


def _passages(path: str, source: str) -> Iterator[Passage]:
    if path.endswith(".py"):
        yield from _comments(source)
        yield from _literals(source, printed_only=path.startswith(CAPTIONS))
    elif path.endswith((".js", ".css")):
        yield from _script_passages(source)
    else:
        # Fenced code, too: its comments are prose.
        yield Passage(1, tuple(source.splitlines()))


def _comments(source: str) -> Iterator[Passage]:
    """Yield comments, those on consecutive lines as one passage."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if block and line != last + 1:
            yield Passage(last + 1 - len(block), tuple(block))
            block = []
        block.append(token.string.lstrip("#").strip())
        last = line
    if block:
        yield Passage(last + 1 - len(block), tuple(block))


def _literals(source: str, *, printed_only: bool) -> Iterator[Passage]:
    """Yield docstrings, and other string literals of three words or more."""
    lines = [line.encode() for line in source.splitlines()]
    for node, is_printed in _strings(ast.parse(source), is_printed=False):
        if printed_only and not is_printed:
            continue
        assert node.end_lineno is not None
        taken = lines[node.lineno - 1 : node.end_lineno]
        taken[-1] = taken[-1][: node.end_col_offset]
        taken[0] = taken[0][node.col_offset :]
        texts = tuple(_LITERAL_ENDS.sub("", line.decode()) for line in taken)
        if len(" ".join(texts).split()) >= _SENTENCE_MIN_WORDS:
            yield Passage(node.lineno, texts)


def _strings(node: ast.AST, *, is_printed: bool) -> Iterator[tuple[ast.expr, bool]]:
    """Yield string literals, with whether they are docstrings or arguments of a print."""
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield node, is_printed
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        is_printed = True
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
        name = called.id if isinstance(called, ast.Name) else called
        is_printed = is_printed or name in {"print", "echo", "write"}
    if isinstance(node, ast.keyword):
        is_printed = is_printed or node.arg in {"help", "description"}
    for child in ast.iter_child_nodes(node):
        yield from _strings(child, is_printed=is_printed)


def _script_passages(source: str) -> Iterator[Passage]:
    """Yield the comments of JavaScript and CSS, and string literals of three words or more."""
    for match in _SCRIPT.finditer(source):
        lines = tuple(line.strip(" /*`\"'") for line in match[0].splitlines())
        is_comment = match[0].startswith("/")
        if is_comment or len(" ".join(lines).split()) >= _SENTENCE_MIN_WORDS:
            yield Passage(source.count("\n", 0, match.start()) + 1, lines)


def _constants(source: str) -> Iterator[tuple[str, int, str]]:
    """Yield the name, the line and the value of each constant of a module."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets, value = [statement.target], statement.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and _CONSTANT.fullmatch(target.id):
                yield target.id, statement.lineno, _value(value)


def _value(expression: ast.expr) -> str:
    try:
        return repr(ast.literal_eval(expression))
    except ValueError:
        return ast.unparse(expression)


def _around(text: str, span: tuple[int, int]) -> str:
    """Return the sentence of a match, or what stands near it in a long sentence."""
    start, end = span
    before = re.split(r"[.!?:]\s|\n\s*\n", text[:start])[-1][-_SHOWN_CHARACTERS:]
    after = re.split(r"(?<=[.!?])\s|\n\s*\n", text[end:])[0][:_SHOWN_CHARACTERS]
    return " ".join(f"{before}{text[start:end]}{after}".split())


if __name__ == "__main__":
    sys.exit(main())
