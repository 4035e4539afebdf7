"""Who may import whom: search -> paretrain, spaces -> paretrain, never back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "src/paretrain": {"search", "spaces", "optuna", "optuna_dashboard"},
    "spaces": {"search", "optuna", "torch"},
    "search": {"spaces"},
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_go_one_way(folder: str) -> None:
    for path in files(folder):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & FORBIDDEN[folder], path


def test_the_search_cannot_reach_the_test_part() -> None:
    """Neither by import nor by name: only `python -m paretrain` opens it."""
    for path in [*files("search"), *files("spaces")]:
        text = path.read_text(encoding="utf-8")
        for name in ("testset", "load_test", "test_part", "digit_indices", "open_folder"):
            assert name not in text, f"{path} names {name}"
    users = [p for p in files("src/paretrain") if "paretrain.testset" in imports(p)]
    assert [p.name for p in users] == ["__main__.py"]
    callers = [p for p in files("src/paretrain") if ".test_part(" in p.read_text(encoding="utf-8")]
    assert [p.name for p in callers] == ["testset.py"]


def _loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{m.split('.')[0] for m in sys.modules}})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_a_worker_loads_neither_optuna_nor_torchvision_nor_the_database() -> None:
    loaded = _loaded("import search.workers.worker")
    assert "torch" in loaded
    heavy = {
        "optuna",
        "torchvision",
        "sqlalchemy",
        "sklearn",
        "pandas",
        "scipy",
        "rich",
        "matplotlib",
    }
    assert not loaded & heavy


def test_paretrain_runs_without_optuna() -> None:
    assert "optuna" not in _loaded("import paretrain.__main__")


def test_spaces_has_no_init_file() -> None:
    """Another distribution owns the import name `spaces`; ours must not overwrite its files."""
    assert not (ROOT / "spaces" / "__init__.py").exists()
