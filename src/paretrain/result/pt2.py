"""torch.export programs (.pt2): written without a trace of the machine, loaded from a checked copy.

`torch.export.load` unpickles members of an archive, evaluates expressions, and compiles names of
the graph into Python. Checking makes that harder to misuse, not safe: load only what you trust.
"""

from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from paretrain.result.pt2_archive import checked_copy


def export(model: nn.Module, image_size: int) -> ExportedProgram:
    """Export a model's program for any number of uint8 images (N, 3, image_size, image_size).

    It names no file of this machine.
    """
    # With one image as the example, torch would fix the number of images at one.
    images = torch.zeros((2, 3, image_size, image_size), dtype=torch.uint8)
    shapes = {"images": {0: Dim("batch")}}
    program = torch.export.export(model, (images,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths and lines of this installation
    return program


def check(path: Path) -> None:
    """Raise ValueError for a file that `load` refuses."""
    checked_copy(path)


def load(path: Path) -> nn.Module:
    """Load a program that `export` made and `torch.export.save` wrote.

    Raises ValueError for any other file, OSError when the file cannot be read.
    """
    copy = checked_copy(path)
    try:
        return torch.export.load(copy).module()
    except Exception as error:  # torch raises whatever the bytes happen to look like
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(lines[0]) from None
