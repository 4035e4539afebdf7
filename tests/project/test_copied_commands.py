"""One module writes the commands that are printed to be copied: nothing else puts a name or a path
into one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

SHELL = ROOT / "src/paretrain/shell.py"
QUOTING = {"shlex.quote", "shlex.join", "subprocess.list2cmdline", "list2cmdline", "pipes.quote"}
READING = {ROOT / "benchmarks/unchanged.py"}
"""Splits lines of its own; quotes nothing."""
WITH_A_HOLE = re.compile("python -m [\\w.]+[^;:.]*\0|python -m \0")
"""A command with something filled in, up to the end of its clause."""


def sources() -> list[Path]:
    folders = ("search", "src/paretrain", "spaces", "benchmarks")
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert SHELL in found
    return found


def texts(tree: ast.AST) -> Iterator[str]:
    """What is put together from text and values, with a zero byte for each value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
            )
        elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
            yield f"{node.left.value!s}\0"


def faults(source: str) -> list[str]:
    tree = ast.parse(source)
    found = [text for text in texts(tree) if WITH_A_HOLE.search(text)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name in ("shlex", "pipes")]
        elif isinstance(node, ast.ImportFrom) and node.module in ("shlex", "pipes"):
            found.append(node.module)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in QUOTING:
            found.append(ast.unparse(node))
    return found


def test_one_module_alone_writes_commands() -> None:
    for path in sources():
        if path not in {SHELL, *READING}:
            assert faults(path.read_text(encoding="utf-8")) == [], path
    assert len(faults(SHELL.read_text(encoding="utf-8"))) == 3  # `shlex`, `quote`, `python -m`


@pytest.mark.parametrize(
    "source",
    [
        "import shlex",
        "from shlex import quote",
        "subprocess.list2cmdline(words)",
        'f"python -m search.report --study-name {name}"',
        'f"next: python -m {module}"',
        '"python -m search.report " + name',
    ],
)
def test_such_a_module_would_be_noticed(source: str) -> None:
    assert faults(source)


def test_prose_may_name_a_command() -> None:
    assert faults('f"{path} is no result: give one that python -m paretrain wrote; see {x}"') == []
