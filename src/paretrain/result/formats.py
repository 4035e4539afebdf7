"""The three formats of a trained network: weights, torch.export program, ONNX (extra `[onnx]`).

All three map uint8 pixels to probabilities and give the same answer but for rounding. A file is
compared with the SHA-256 that the training noted. So one that is cut off, or belongs to another
network, is refused before anything is computed.
"""

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.export import ExportedProgram

from paretrain import __version__
from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig
from paretrain.networks.build import build_network
from paretrain.result import pt2
from paretrain.result.classifier import PixelClassifier
from paretrain.result.folder import ONNX, PROGRAM, WEIGHTS

Format = Literal["weights", "pt2", "onnx"]
FORMAT_FILES: dict[Format, str] = {"weights": WEIGHTS, "pt2": PROGRAM, "onnx": ONNX}
INPUT, OUTPUT = "images", "probabilities"
"""Names of the input and the output in the ONNX graph."""
INSTALL = "pip install 'paretrain[onnx]'"

Run = Callable[[Tensor], Tensor]


def can_write_onnx() -> bool:
    """Whether the packages of the extra `[onnx]` are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


def write_formats(
    folder: Path, model: PixelClassifier, data: DataConfig, classes: tuple[str, ...]
) -> tuple[dict[str, str], str]:
    """Write the files of all formats.

    Returns each file's SHA-256, and the reason why there is no ONNX file, or "".
    """
    state = {name: tensor.contiguous() for name, tensor in model.network.state_dict().items()}
    metadata = {"format": "pt", "paretrain": __version__}
    # save_file would leave a file that no other user may read.
    (folder / WEIGHTS).write_bytes(save(state, metadata=metadata))
    program = pt2.export(model, data.image_size)
    torch.export.save(program, folder / PROGRAM)
    (folder / ONNX).unlink(missing_ok=True)  # an earlier attempt may have left one
    missing = f"it needs {INSTALL}"
    if can_write_onnx():
        missing = _write_onnx(folder / ONNX, program, data, classes)
    written = [name for name in FORMAT_FILES.values() if (folder / name).exists()]
    return {name: sha256(folder / name) for name in written}, missing


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


def open_format(
    folder: Path,
    form: Format,
    config: TrainConfig,
    classes: int,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    sha256s: dict[str, str],
    device: torch.device,
) -> Run:
    """Open a file and return a function that classifies with it.

    The function maps uint8 pixels (N, 3, image_size, image_size) to probabilities (N, classes),
    both on the CPU. The weights compute on `device`, the other formats on the CPU. `statistics` are
    the means and deviations of the channels. Raises UserError for a file that is missing, cut off
    or of another network, and where onnxruntime is missing.
    """
    path = folder / FORMAT_FILES[form]
    _check(path, form, sha256s)
    try:
        if form == "weights":
            return _weights(path, config, classes, statistics, device)
        if form == "pt2":
            program = pt2.load(path)
            return lambda pixels: _tensor(program(pixels))
        return _onnx(path)
    except (ValueError, OSError) as error:
        raise UserError(
            f"cannot use {path}: {error}: train again, or take another --form"
        ) from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, form: Format, sha256s: dict[str, str]) -> None:
    """Raise UserError unless the file is there and is the one that the training wrote."""
    if not path.exists():
        others = [name for name, file in FORMAT_FILES.items() if (path.parent / file).exists()]
        hint = f": it has --form {', '.join(others)}" if others else ""
        why = f" (written where the extra is installed: {INSTALL})" if form == "onnx" else ""
        raise UserError(f"no {path.name} in {path.parent}{why}{hint}")
    try:
        current = sha256(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if current != sha256s.get(path.name):
        raise UserError(
            f"{path} is not the file that this training wrote: it is cut off, changed or of "
            "another network (its SHA-256 is not the one in metrics.json): copy the folder again"
        )


def _weights(
    path: Path,
    config: TrainConfig,
    classes: int,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    device: torch.device,
) -> Run:
    pretrained = config.start.pretrained  # downloads nothing: the weights are in the file
    network = build_network(config.network, classes, config.data.image_size, pretrained)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(str(error).splitlines()[0]) from None
    # The layout in which training computes, so that its accuracy comes out again.
    network.to(memory_format=torch.channels_last)
    classifier = PixelClassifier(network, *statistics).eval().to(device)
    return lambda pixels: _tensor(classifier(pixels.to(device)).cpu())


def _onnx(path: Path) -> Run:
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"--form onnx needs onnxruntime: {INSTALL}, or take another format"
        ) from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has classes of its own
        raise ValueError(str(error).splitlines()[0]) from None

    def run(pixels: Tensor) -> Tensor:
        (answer,) = session.run([OUTPUT], {INPUT: pixels.contiguous().numpy()})
        return torch.from_numpy(answer)

    return run


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value


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
