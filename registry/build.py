"""Puts together the package for OptunaHub: what its registry asks for, with the rule inside of it.

python -m registry.build OUT --holder "Jane Doe"

OUT/package/pruners/front_pruner is what a fork of optuna/optunahub-registry takes. A package there
must load without ours being installed, so the modules that FrontPruner needs are copied into its
folder `_rule`, with their imports turned to it. The registry takes the MIT licence only; `--holder`
is the copyright holder who grants it.
"""

import ast
import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("package/pruners/front_pruner")
FIRST = "search.elsewhere.front_pruner"
TAKEN = {"paretrain.cli": ["UserError"], "paretrain.config": ["Keep"]}
"""Modules of which no more than these names is needed, and that would bring other packages."""


def source_of(module: str) -> str:
    """Text of one of our modules."""
    folder = ROOT / "src" if module.startswith("paretrain") else ROOT
    return (folder / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")


def needed() -> list[str]:
    """Our modules that FrontPruner loads, in the order in which they are found."""
    found = [FIRST]
    for module in found:
        if module in TAKEN:
            continue
        for node in ast.walk(ast.parse(source_of(module))):
            if isinstance(node, ast.ImportFrom) and _ours(node.module) and node.module not in found:
                assert node.module is not None
                found.append(node.module)
    return found


def copied(module: str) -> str:
    """The text of a module within the package."""
    text = source_of(module)
    if module in TAKEN:
        tree = ast.parse(text)
        parts = [_definition(tree, text, name) for name in TAKEN[module]]
        return '"""What the rule needs of it."""\n\nfrom typing import Literal as Literal\n\n\n' + (
            "\n\n".join(parts) + "\n"
        )
    turned = r"^from (?:search|paretrain)(?:\.\w+)*\.(\w+) import"
    return re.sub(turned, r"from .\1 import", text, flags=re.MULTILINE)


def build(out: Path, holder: str) -> Path:
    """Write the package below `out`, where it must not be yet. Returns its folder."""
    folder = out / PACKAGE
    shutil.copytree(ROOT / "registry" / PACKAGE, folder)
    licence = (ROOT / "registry" / "MIT.txt").read_text(encoding="utf-8")
    (folder / "LICENSE").write_text(licence.replace("HOLDER", holder), encoding="utf-8")
    rule = folder / "_rule"
    rule.mkdir()
    modules = needed()
    names = [module.rpartition(".")[2] for module in modules]
    assert len(set(names)) == len(names), "two modules of one name"
    (rule / "__init__.py").write_text('"""Copied from paretrain."""\n', encoding="utf-8")
    for module, name in zip(modules, names, strict=True):
        (rule / f"{name}.py").write_text(copied(module), encoding="utf-8")
    return folder


def _ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] in ("search", "paretrain")


def _definition(tree: ast.Module, text: str, name: str) -> str:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if getattr(node, "name", None) == name or any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        ):
            return ast.get_source_segment(text, node) or ""
    raise AssertionError(f"no {name}")


def main(
    out: Path, holder: Annotated[str, typer.Option(help="Who grants the MIT licence.")]
) -> None:
    """Put together the package for OptunaHub below OUT."""
    print(build(out, holder))


if __name__ == "__main__":
    typer.run(main)
