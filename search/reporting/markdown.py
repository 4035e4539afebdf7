"""Text and tables in Markdown."""

import re
from collections.abc import Sequence


def plain(text: str) -> str:
    """The text with all escaped that Markdown would take for markup."""
    return re.sub(r"([\\`*_<>|~\[\]])", r"\\\1", text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, whose columns of numbers stand on the right. Needs a row."""
    marks = ["---:" if numbers else "---" for numbers in of_numbers(rows)]
    lines = [columns, marks, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def of_numbers(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Of each column, whether it consists of numbers. Needs a row."""
    return [
        all(re.fullmatch(r"#?[\d.,]+%?", cell) for cell in cells)
        for cells in zip(*rows, strict=True)
    ]
