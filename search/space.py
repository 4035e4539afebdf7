"""A space is one Python file: a docstring, `suggest(trial) -> TrainConfig`, and, where somebody
has tried by hand before, `BASELINES` and `BASELINE_SETTINGS` (name -> parameters) and `HINTS`
(parameter -> value)."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paretrain.cli import UserError, nearest
from paretrain.config import TrainConfig

BUILT_IN = Path(__file__).resolve().parent.parent / "spaces"

Suggest = Callable[[Any], TrainConfig]


@dataclass(frozen=True)
class Space:
    """A loaded space file."""

    name: str
    path: Path
    summary: str
    """First line of the file's docstring."""
    fingerprint: str
    """Hash of the file's text."""
    suggest: Suggest
    hints: Mapping[str, Any]
    """Values that experience calls good, by parameter."""
    nets: Mapping[str, Mapping[str, Any]]
    """Hand-made networks: name -> parameters of `suggest`."""
    settings: Mapping[str, Mapping[str, Any]]
    """Hand-made settings, likewise."""


def built_in_spaces() -> list[str]:
    """Names of the files beside the program."""
    return sorted(path.stem for path in BUILT_IN.glob("*.py") if not path.stem.startswith("_"))


def load_space(reference: str) -> Space:
    """A built-in name, or the path of a .py file. Raises UserError saying what is wrong where."""
    if reference.endswith(".py") or "/" in reference:
        path = Path(reference)
        if not path.is_file():
            raise UserError(f"no space file {path}: --space takes a name or a path to a .py file")
    else:
        path = BUILT_IN / f"{reference}.py"
        if not path.is_file():
            known = built_in_spaces()
            raise UserError(
                f"unknown space '{reference}'{nearest(reference, known)}: there are "
                f"{', '.join(known)}, or give the path of your own .py file"
            )
    module = _execute(path)
    suggest = getattr(module, "suggest", None)
    if not callable(suggest):
        others = [n for n in vars(module) if not n.startswith("_") and n != "suggest"]
        raise UserError(
            f"{path} has no function suggest(trial){nearest('suggest', others)}: docs/spaces.md "
            "shows a space in ten lines"
        )
    docstring = (module.__doc__ or "").strip()
    return Space(
        name=path.stem,
        path=path,
        summary=docstring.splitlines()[0] if docstring else "",
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        suggest=_checked(suggest, path),
        hints=_table(module, "HINTS", path),
        nets=_tables(module, "BASELINES", path),
        settings=_tables(module, "BASELINE_SETTINGS", path),
    )


def _table(module: Any, name: str, path: Path) -> Mapping[str, Any]:
    found = getattr(module, name, {})
    if not isinstance(found, Mapping):
        raise UserError(
            f"{name} in {path} is {type(found).__name__}, must be a dict: docs/spaces.md shows one"
        )
    return found


def _tables(module: Any, name: str, path: Path) -> Mapping[str, Mapping[str, Any]]:
    found = _table(module, name, path)
    for key, params in found.items():
        if not isinstance(params, Mapping):
            raise UserError(
                f"{name}['{key}'] in {path} is {type(params).__name__}, must be a dict of "
                "parameters: docs/spaces.md shows one"
            )
    return found


def _execute(path: Path) -> Any:
    name = f"paretrain_space_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        where = _line(path, error) or path
        raise UserError(f"space {where} does not import: {_what(error)}") from None
    return module


def _checked(suggest: Callable[[Any], object], path: Path) -> Suggest:
    def checked(trial: Any) -> TrainConfig:
        try:
            config = suggest(trial)
        except (Exception, SystemExit) as error:
            where = _line(path, error) or _defined(path, suggest)
            raise UserError(f"suggest fails in {where}: {_what(error)}") from None
        if not isinstance(config, TrainConfig):
            raise UserError(
                f"suggest in {_defined(path, suggest)} returned {type(config).__name__}, must "
                "return a TrainConfig: docs/spaces.md shows one"
            )
        return config

    return checked


def _defined(path: Path, function: Callable[..., object]) -> str:
    """path:line where a function begins; only the path where it has no code of its own."""
    code = getattr(function, "__code__", None)
    return str(path) if code is None else f"{path}:{code.co_firstlineno}"


def _line(path: Path, error: BaseException) -> str:
    """path:line of the deepest frame inside the space file; empty when there is none."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{path}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f.lineno for f in frames if f.filename == str(path.resolve()) or f.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else ""


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
