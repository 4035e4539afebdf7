"""Writes a trained network in three formats: weights, torch.export, ONNX (extra `[onnx]`).

All three map uint8 pixels to probabilities and give the same answer but for rounding. `opening`
reads them.
"""

import contextlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save
from torch.export import ExportedProgram

from paretrain import __version__
from paretrain.config import DataConfig
from paretrain.paths import sha256
from paretrain.result import pt2
from paretrain.result.classifier import PixelClassifier
from paretrain.result.folder import ONNX, PROGRAM, WEIGHTS
from paretrain.result.format_names import Format as Format

FORMAT_FILES: dict[Format, str] = {"weights": WEIGHTS, "pt2": PROGRAM, "onnx": ONNX}
INPUT, OUTPUT = "images", "probabilities"
"""Names of the input and the output in the ONNX graph."""
INSTALL = "pip install 'paretrain[onnx]'"


def can_write_onnx() -> bool:
    """Whether the packages of the extra `[onnx]` are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


def write_formats(
    folder: Path, model: PixelClassifier, data: DataConfig, classes: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    """Write the files of all formats.

    Returns each file's SHA-256, and the reasons why others are missing, by name. Where torch cannot
    export the network, which only somebody's own may be, there is neither program nor ONNX file.
    """
    # Copies, because safetensors refuses two names for the same memory: layers that share weights.
    state = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in model.network.state_dict().items()
    }
    # Of several entries of metadata the order would change, and the SHA-256 with it.
    # save_file would leave a file that no other user may read.
    (folder / WEIGHTS).write_bytes(save(state, metadata={"format": "pt"}))
    for name in (PROGRAM, ONNX):
        (folder / name).unlink(missing_ok=True)  # an earlier attempt may have left one
    try:
        program = pt2.export(model, data.image_size)
    except Exception as error:  # whatever its forward pass does that cannot be traced
        line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        missing = dict.fromkeys((PROGRAM, ONNX), f"torch.export cannot trace the network ({line})")
    else:
        onnx = f"it needs {INSTALL}"
        if can_write_onnx():
            onnx = _write_onnx(folder / ONNX, program, data, classes)
        reasons = {PROGRAM: _write_program(folder / PROGRAM, program), ONNX: onnx}
        missing = {name: why for name, why in reasons.items() if why}
    written = [name for name in FORMAT_FILES.values() if (folder / name).exists()]
    return {name: sha256(folder / name) for name in written}, missing


def _write_program(path: Path, program: ExportedProgram) -> str:
    """Write the program. Returns the reason why there is none, or ""."""
    torch.export.save(program, path)
    try:
        pt2.check(path)
    except ValueError as error:
        # A network of timm, or somebody's own, may compute with what is not known to be harmless.
        path.unlink()
        return f"it would be refused when it is loaded: {error}"
    return ""


def _write_onnx(
    path: Path, program: ExportedProgram, data: DataConfig, classes: tuple[str, ...]
) -> str:
    """Write the ONNX file, with its classes and how to resize images, so that it can serve alone.

    Returns the reason why it could not be written, or "".
    """
    try:
        with _quiet():
            exported = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
            )
    except RuntimeError as error:  # OnnxExporterError is one
        # A layer that ONNX does not know must not cost the training and the other formats.
        return f"the exporter says: {str(error).splitlines()[0]}"
    assert exported is not None  # it is None only without dynamo
    about = {
        "classes": json.dumps(classes),
        "image_size": str(data.image_size),
        "fit": data.fit,
        "paretrain": __version__,
    }
    exported.model.metadata_props.update(about)
    exported.save(path)
    return ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what the exporter prints about itself: a user cannot act upon it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
