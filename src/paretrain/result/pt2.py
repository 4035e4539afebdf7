"""torch.export archives (.pt2), read without running code from them.

`torch.export.load` unpickles some members of an archive and evaluates the expressions in its graph.
So a file is checked first: whatever our own export never writes is refused.
"""

import io
import json
import re
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

_MEMBER = re.compile(
    r"[^/]+/(data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id))"
)
_EXPRESSION = re.compile(
    r"(Symbol\('\w+'(, (positive|integer)=True)*\)"
    r"|(Add|Mul|Pow|Mod|FloorDiv|Integer)\(|\)|, |-?\d+)+"
)
"""Sizes as sympy writes them: `Mul(Integer(2), Symbol('s77', positive=True, integer=True))`."""

_EVALUATED = ("expr_str", "guards_code")


def export(model: nn.Module, image_size: int) -> ExportedProgram:
    """Export a model's program for any number of uint8 images (N, 3, image_size, image_size)."""
    # With one image as the example, torch would fix the number of images at one.
    images = torch.zeros((2, 3, image_size, image_size), dtype=torch.uint8)
    shapes = {"images": {0: Dim("batch")}}
    return torch.export.export(model, (images,), dynamic_shapes=shapes)


def load(path: Path) -> nn.Module:
    """Load a program that `export` made and `torch.export.save` wrote.

    Raises ValueError for any other file, OSError when the file cannot be read.
    """
    _refuse_code(path)
    try:
        return torch.export.load(path).module()
    except Exception as error:  # torch raises whatever the bytes happen to look like
        raise ValueError(str(error).splitlines()[0]) from None


def _refuse_code(path: Path) -> None:
    """Raise ValueError when a member of the archive could run code, or the archive is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                _refuse_member(name, archive)
    except (zipfile.BadZipFile, json.JSONDecodeError, KeyError, EOFError) as error:
        raise ValueError(f"it is no whole torch.export archive ({error})") from None


def _refuse_member(name: str, archive: zipfile.ZipFile) -> None:
    if not _MEMBER.fullmatch(name):
        raise ValueError(f"it holds {name}, which no export of a network has")
    if name.endswith("_config.json"):
        if any(
            entry.get("use_pickle") for entry in json.loads(archive.read(name))["config"].values()
        ):
            raise ValueError(f"{name} asks for a pickle, which could run code")
    elif name.endswith("sample_inputs/model.pt"):
        if content := archive.read(name):
            try:
                torch.load(io.BytesIO(content), weights_only=True)
            except Exception:  # torch.export.load would fall back to running it
                raise ValueError(f"{name} holds a pickle that could run code") from None
    elif name.endswith("models/model.json"):
        for expression in _expressions(json.loads(archive.read(name))):
            if not isinstance(expression, str) or not _EXPRESSION.fullmatch(expression):
                raise ValueError(f"its graph holds the expression {expression!r}")


def _expressions(node: object) -> list[object]:
    """Return all entries of a graph that loading would evaluate."""
    expressions: list[object] = []
    todo = [node]
    while todo:
        now = todo.pop()
        if isinstance(now, dict):
            expressions += [now[key] for key in _EVALUATED if now.get(key)]
            todo += now.values()
        elif isinstance(now, list):
            todo += now
    return expressions
