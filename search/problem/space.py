"""A space is one Python file: a docstring and `suggest(trial) -> TrainConfig`. It may also have

BASELINES          name -> parameters: networks that somebody tried by hand
BASELINE_SETTINGS  name -> parameters: settings that somebody tried by hand
CLAIMS             name -> the accuracy that was reported for it
CLAIMS_ON          on which images, as --data names them
TABLE              row -> column -> name: a table of the course report
HINTS              parameter -> a value that experience calls good
DEFAULTS           option -> value
QUESTIONS, LEVERS  what the report of a study should answer
"""

import contextlib
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from paretrain.cli import UserError, nearest
from paretrain.config import TrainConfig
from paretrain.data.names import short_name
from paretrain.not_done import not_done
from paretrain.own_files import SOURCE, from_folder, run_file
from paretrain.paths import is_folder, user_path

FINGERPRINT = 16
"""Digits of a file's hash that a study stores."""

BUILT_IN = Path(__file__).resolve().parents[2] / "spaces"

Suggest = Callable[[Any], TrainConfig]


@dataclass(frozen=True)
class Space:
    """A loaded space file."""

    name: str
    path: Path
    summary: str
    """First line of the file's docstring."""
    digest: str
    """SHA-256 of the file's bytes."""
    suggest: Suggest
    hints: Mapping[str, Any]
    """Values that experience calls good, by parameter."""
    baselines: Mapping[str, Mapping[str, Any]]
    """Networks tried by hand: name -> parameters of `suggest`."""
    baseline_settings: Mapping[str, Mapping[str, Any]]
    """Settings tried by hand, likewise."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """What was reported for baselines: name -> accuracy, in words."""
    claims_on: str = ""
    """The images of the claims, by the name that a study has for them; empty where nobody says."""
    table: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The course report's table: row -> column -> name of a baseline."""
    defaults: Mapping[str, int | None] = field(default_factory=dict)
    """Used instead of the program's own defaults, by option."""
    questions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Questions in the space's own words: name -> `ask`, `of` (parameters), and maybe `levels`
    (words -> values)."""
    levers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Ways to save parameters: name -> `open` (parameter -> the value that saves nothing), and
    maybe `only` (the choice that is the lever). Networks are widened again with the first one."""
    line: str = ""
    """File and line where `suggest` begins."""

    @property
    def fingerprint(self) -> str:
        """The beginning of `digest`, as studies store it."""
        return self.digest[:FINGERPRINT]

    @property
    def built_in(self) -> bool:
        """Whether its name alone finds it."""
        return self.path.parent == BUILT_IN

    @property
    def where(self) -> str:
        """File and line of `suggest`, for messages."""
        return self.line or str(self.path)


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
            if is_folder(user_path(reference)):
                raise UserError(
                    f"--space {reference} is a folder: give images with --data {reference}, and "
                    f"with --space one of {', '.join(known)} or a .py file"
                )
            raise UserError(
                f"unknown space '{reference}'{nearest(reference, known)}: there are "
                f"{', '.join(known)}, or give the path of your own .py file"
            )
    try:
        return space_from(path, path.read_bytes())
    except OSError as error:
        raise UserError(f"--space {path} cannot be read: {error.strerror}") from None


def space_from(path: Path, source: bytes) -> Space:
    """The space whose file has this content. These very bytes are run: not what lies at `path` a
    moment later, nor a compiled file beside it. Raises UserError saying what is wrong where."""
    module = _execute(path, source)
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
        digest=digest_of(source),
        suggest=_checked(suggest, path),
        hints=_table(module, "HINTS", path),
        baselines=_tables(module, "BASELINES", path),
        baseline_settings=_tables(module, "BASELINE_SETTINGS", path),
        claims=_claims(module, path),
        claims_on=_claims_on(module, path),
        table=_tables(module, "TABLE", path),
        defaults=_defaults(module, path),
        questions=_described(module, "QUESTIONS", ("ask", "of"), ("levels",), path),
        levers=_described(module, "LEVERS", ("open",), ("only",), path),
        line=_defined(path, suggest),
    )


def digest_of(source: bytes) -> str:
    """SHA-256 of a space file's content, in hexadecimal digits."""
    return hashlib.sha256(source).hexdigest()


DEFAULTS = ("epochs", "image_size", "max_params")


def _defaults(module: Any, path: Path) -> Mapping[str, int | None]:
    defaults = _table(module, "DEFAULTS", path)
    for key, value in defaults.items():
        if key not in DEFAULTS:
            raise UserError(
                f"DEFAULTS['{key}'] in {path}: allowed are {', '.join(DEFAULTS)}"
                f"{nearest(str(key), DEFAULTS)}"
            )
        none = value is None and key == "max_params"
        if not none and (not isinstance(value, int) or value < 1):
            raise UserError(f"DEFAULTS['{key}'] in {path} is {value!r}: must be a whole number")
    return defaults


def _claims(module: Any, path: Path) -> Mapping[str, str]:
    claims = _table(module, "CLAIMS", path)
    known = [*_table(module, "BASELINES", path), *_table(module, "BASELINE_SETTINGS", path)]
    for name, claim in claims.items():
        if name not in known:
            raise UserError(
                f"CLAIMS['{name}'] in {path}: no baseline has that name{nearest(name, known)}"
            )
        if not isinstance(claim, str):
            raise UserError(
                f"CLAIMS['{name}'] in {path} is {claim!r}: must be text, such as '55 %'"
            )
    return claims


def _claims_on(module: Any, path: Path) -> str:
    images = getattr(module, "CLAIMS_ON", "")
    if not isinstance(images, str):
        raise UserError(
            f"CLAIMS_ON in {path} is {images!r}: must be text, what --data names: 'CIFAR10', or a "
            "folder"
        )
    return short_name(images)


def _table(module: Any, name: str, path: Path) -> Mapping[str, Any]:
    table = getattr(module, name, {})
    if not isinstance(table, Mapping):
        raise UserError(
            f"{name} in {path} is {type(table).__name__}, must be a dict: docs/spaces.md shows one"
        )
    for key in table:
        if not isinstance(key, str):
            raise UserError(f"{name} in {path} has the key {key!r}: names must be text")
    return table


def _tables(module: Any, name: str, path: Path) -> Mapping[str, Mapping[str, Any]]:
    tables = _table(module, name, path)
    for key, params in tables.items():
        if not isinstance(params, Mapping):
            raise UserError(
                f"{name}['{key}'] in {path} is {type(params).__name__}, must be a dict of "
                "parameters: docs/spaces.md shows one"
            )
    return tables


def _described(
    module: Any, name: str, needed: Sequence[str], allowed: Sequence[str], path: Path
) -> Mapping[str, Mapping[str, Any]]:
    entries = _tables(module, name, path)
    for key, entry in entries.items():
        known = [*needed, *allowed]
        for word in [*(w for w in needed if w not in entry), *(w for w in entry if w not in known)]:
            what = "is missing" if word in needed else f"is unknown{nearest(str(word), known)}"
            raise UserError(
                f"{name}['{key}'] in {path}: '{word}' {what}: it has {', '.join(needed)} and may "
                f"have {', '.join(allowed)}"
            )
    return entries


def _execute(path: Path, source: bytes) -> Any:
    name = f"paretrain_space_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses in the file look themselves up there
    with contextlib.suppress(UnicodeDecodeError):
        vars(module)[SOURCE] = source.decode()  # networks of the file travel with it
    try:
        run_file(module, source, str(path), from_folder(path.parent))
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
        return f"{error.filename or path}:{error.lineno}"  # or a file that it imports
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f.lineno for f in frames if f.filename == str(path.resolve()) or f.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else ""


def _what(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join([error.title, *(str(part) for part in first["loc"])])
        given = "" if isinstance(first["input"], BaseModel) else f", got {first['input']!r}"
        if first["type"] == "extra_forbidden" and (answer := not_done(str(first["loc"][-1]))):
            return f"{place}: {answer}"
        return f"ValidationError: {place}: {first['msg']}{given}"
    return " ".join(f"{type(error).__name__}: {error}".split())
