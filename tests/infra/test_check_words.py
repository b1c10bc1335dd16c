"""The check of words and constants: what it finds, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.check_words import (
    PATTERNS,
    differing_constants,
    findings,
    main,
    report,
    tell_tales,
)

if TYPE_CHECKING:
    from pathlib import Path


def found(path: str, source: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.subject) for finding in tell_tales(path, source)]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("whoever", "Whoever comes first starts it."),
        ("nobody", "Work that nobody does."),
        ("somebody", "It is somebody's turn."),
        ("anybody", "Open to anybody."),
        ("everybody", "Everybody waits."),
        ("is none", "A name that is none."),
        ("is none", "Those were\nnone."),
        ("lies", "The file lies there."),
        ("lies", "Files lie there."),
        ("has had", "Until a worker has had them."),
        ("comes home", "The answer comes home."),
        ("is let be", "The old one is let be."),
    ],
)
def test_each_word_is_found_in_its_forms(word: str, sentence: str) -> None:
    assert [word] == [subject for _, subject in found("README.md", sentence)]


def test_every_word_has_a_sample() -> None:
    [mark] = test_each_word_is_found_in_its_forms.pytestmark  # type: ignore[attr-defined]  # set by the decorator
    assert {*PATTERNS} == {word for word, _ in mark.args[1]}


@pytest.mark.parametrize(
    "sentence",
    [
        "It relies on this.",
        "The value is None.",
        "`whoever` is a name.",
        "She had hats.",
        "Let it be.",
    ],
)
def test_plain_english_passes(sentence: str) -> None:
    assert [] == found("README.md", sentence)
    assert [] == found("domain/a.py", f'"""{sentence}"""\n# {sentence}\n')


PYTHON = '''"""Opens with a line.

Nobody reads the third.
"""

NAME = "nobody"
COUNT = 1  # whoever counts
# A comment of two lines, which is
# none of ours.


def refuse(size: int) -> None:
    raise Refusal(
        f"The file of {size} bytes"
        " lies elsewhere: move it."
    )
'''


def test_docstrings_comments_and_sentences_of_python_are_read() -> None:
    expected = [(3, "nobody"), (7, "whoever"), (8, "is none"), (15, "lies")]
    assert expected == sorted(found("domain/a.py", PYTHON))


def test_captions_are_not_sentences_but_what_is_printed_is() -> None:
    source = '''"""Draws."""
CAPTION = "a boat lies on the beach"
print("The boat lies on the beach.")
option(help="Where the boat lies.")
'''
    assert [(3, "lies"), (4, "lies")] == found("postcards/a.py", source)
    assert [2, 3, 4] == [line for line, _ in found("graph/a.py", source)]


def test_a_literal_after_letters_of_several_bytes_is_read_to_its_end() -> None:
    assert [(1, "nobody")] == found("domain/a.py", 'f("äöü", "This is for nobody"); g("lies")\n')


def test_comments_and_sentences_of_scripts_are_read() -> None:
    source = """// Waits until
// nobody types.
const name = "nobody";
/* Where it
 * lies. */
show(`There is ${count}, for whoever asks`);
"""
    expected = [(2, "nobody"), (5, "lies"), (6, "whoever")]
    assert expected == found("graph/ui/a.js", source)


def test_a_finding_shows_its_sentence() -> None:
    [finding] = tell_tales("README.md", "One. Two that\nlie here. Three.\n")
    assert str(finding) == "README.md:2: lies: Two that lie here."


def test_constants_of_one_name_must_have_one_value() -> None:
    sources = {
        "domain/a.py": "LIMIT = 3\nSAME = 60 * 60\nname = 1\n",
        "infra/b.py": "_LIMIT: int = 4\nSAME = 60 * 60\nname = 2\n",
    }
    assert [
        "domain/a.py:1: constants: LIMIT = 3",
        "infra/b.py:1: constants: LIMIT = 4",
    ] == [str(finding) for finding in differing_constants(sources)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LIMIT = 1_000", "LIMIT = 1000"),
        ("FILES = ('a', 'b')", 'FILES = ("a", "b")'),
        ("UP = 1", "UP = 2"),
        ("if True:\n    LIMIT = 1", "LIMIT = 2"),
    ],
)
def test_equal_values_and_conventional_names_may_repeat(one: str, other: str) -> None:
    assert [] == [*differing_constants({"domain/a.py": one, "infra/b.py": other})]


def test_a_module_may_define_a_constant_in_two_ways() -> None:
    assert [] == [*differing_constants({"domain/a.py": "LIMIT = 1\nLIMIT = 2\n"})]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path, text in {
        "README.md": "Nobody reads it.\n",
        "docs/deep/page.md": "It lies there.\n",
        "domain/use_cases/a.py": '"""For whoever asks."""\nLIMIT = 1\n',
        "graph/graphiql/assets/fetched.js": "// somebody\n",
        "infra/b.py": "LIMIT = 2\n",
        "tests/c.py": '"""Nobody checks tests."""\n',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_product_and_documents_are_checked(checkout: Path) -> None:
    assert [
        "README.md",
        "docs/deep/page.md",
        "domain/use_cases/a.py",
        "domain/use_cases/a.py",
        "infra/b.py",
    ] == [finding.path for finding in findings(checkout)]


def test_findings_are_printed_and_fail(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(checkout)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "README.md:1: nobody: Nobody reads it."
    assert printed[-1] == "In place of 'whoever': name the caller, or say `callers that`."


def test_a_report_counts_and_succeeds(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--report", str(checkout)]) == 0
    printed = capsys.readouterr().out.split("\n")
    assert ["     1          1  domain/use_cases", "     3          2  total"] == [
        line for line in printed if line.endswith(("use_cases", "total"))
    ]
    assert report([]).split() == ["words", "constants", "folder"]


def test_a_checkout_without_findings_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("It works.\n")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
