"""How files that were refused are printed."""

from __future__ import annotations

import io

from rich.console import Console

from pictograph.cli.tables import print_refused

LONG = f"/photos/{'holiday/' * 20}[red]broken.jpg"


def printed(*, is_terminal: bool, more: int = 0) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=is_terminal, color_system=None)
    print_refused([(LONG, "The file is empty.")], console, more=more)
    return stream.getvalue()


def test_on_a_terminal_a_table_folds_long_paths() -> None:
    table = printed(is_terminal=True, more=1_234)
    assert max(map(len, table.splitlines())) <= 80
    assert "Refused" in table
    assert "… and 1,234 more" in table


def test_elsewhere_each_has_a_line_with_its_whole_path() -> None:
    assert [f"Refused: {LONG}: The file is empty."] == printed(is_terminal=False).splitlines()
    assert "… and 2 more" == printed(is_terminal=False, more=2).splitlines()[-1]
