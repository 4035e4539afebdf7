"""Runs files of the user from their text, together with those that they import from their folder.

Python's own import would find such a file only in the working folder, keep it under a name that
another project's file may have, and go on with a former state of it in a notebook. Here each main
file has modules of its own: from its folder, or from the texts that travel with a configuration.
"""

import ast
import builtins
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

SOURCE, FILES = "__paretrain_source__", "__paretrain_files__"
"""Names in a module under which the text lies that it was run from, and, once they are needed, the
files that it imports from its folder."""
NOT_LOCAL = sys.stdlib_module_names | {
    *("paretrain", "search", "torch", "torchvision", "timm", "numpy", "optuna")
}
"""Names that are never those of a file in the folder."""

Read = Callable[[str], str | None]
"""Gives the text of a file by its place in the folder, such as `blocks.py` or `nets/head.py`; None
where there is none."""


def from_folder(folder: Path) -> Read:
    """Read files of a folder."""

    def read(place: str) -> str | None:
        try:
            return (folder / place).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None

    return read


def run_file(module: types.ModuleType, source: str | bytes, name: str, read: Read) -> None:
    """Run the text of a main file in `module`. `name` is its path, as errors show it.

    Raises whatever the text raises.
    """
    modules = _Modules(module.__name__, Path(name).parent, read)
    vars(module)["__builtins__"] = modules.builtins
    exec(compile(source, name, "exec", dont_inherit=True), vars(module))


class _Modules:
    """The modules that a main file has imported from its folder, by their dotted names."""

    def __init__(self, prefix: str, folder: Path, read: Read) -> None:
        self._prefix, self._folder, self._read = prefix, folder, read
        self._loaded: dict[str, types.ModuleType] = {}
        self.builtins = vars(builtins) | {"__import__": self._import}

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> Any:
        whole = name
        if level:
            whole = resolve_name("." * level + name, str((globals or {}).get("__package__") or ""))
        top = whole.partition(".")[0]
        if place_of_module(top, self._read) is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        parts = whole.split(".")
        for end in range(1, len(parts) + 1):
            self._load(".".join(parts[:end]))
        if not fromlist:
            return self._loaded[top]
        found = self._loaded[whole]
        for each in fromlist:
            below = f"{whole}.{each}"
            if not hasattr(found, each) and place_of_module(below, self._read) is not None:
                self._load(below)
        return found

    def _load(self, name: str) -> None:
        if name in self._loaded:
            return
        place = place_of_module(name, self._read)
        if place is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = types.ModuleType(f"{self._prefix}.{name}")
        module.__file__ = str(self._folder / place)
        module.__package__ = name if place.endswith("/__init__.py") else name.rpartition(".")[0]
        vars(module)["__builtins__"] = self.builtins
        self._loaded[name] = sys.modules[module.__name__] = module
        try:
            text = self._read(place) or ""
            vars(module)[SOURCE] = text
            exec(compile(text, module.__file__, "exec", dont_inherit=True), vars(module))
        except BaseException:
            del self._loaded[name]
            raise
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(self._loaded[parent], last, module)


def place_of_module(name: str, read: Read) -> str | None:
    """Return the file of a module in the folder; None where it lies elsewhere."""
    if name.partition(".")[0] in NOT_LOCAL:
        return None
    path = name.replace(".", "/")
    places = (f"{path}/__init__.py", f"{path}.py")
    return next((place for place in places if read(place) is not None), None)


def imported_files(source: str, read: Read) -> dict[str, str]:
    """Return the texts of all files of the folder that a text imports, and those that these import,
    by their places. What is imported by a name that is computed is not among them."""
    found: dict[str, str] = {}
    todo = list(_imports(source, ""))
    while todo:
        name = todo.pop()
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            place = place_of_module(".".join(parts[:end]), read)
            if place is None:
                break
            if place in found:
                continue
            found[place] = text = read(place) or ""
            package = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            if not place.endswith("/__init__.py"):
                package = package.rpartition(".")[0]
            todo += _imports(text, package)
    return dict(sorted(found.items()))


def _imports(source: str, package: str) -> Iterator[str]:
    """Yield the dotted names that a text may import, also names within modules."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # running it says so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                try:
                    start = resolve_name("." * node.level + start, package)
                except ImportError:
                    continue
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)
