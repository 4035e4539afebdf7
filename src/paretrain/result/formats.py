"""The three forms of a trained network: weights, torch.export program, ONNX (extra `[onnx]`).

All three map uint8 pixels to probabilities and give the same answer to rounding. What is read is
compared with the SHA-256 that the training noted, so a file that is cut off or of another network
is recognised before anything is computed.
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

Form = Literal["weights", "pt2", "onnx"]
FORM_FILES: dict[Form, str] = {"weights": WEIGHTS, "pt2": PROGRAM, "onnx": ONNX}
INPUT, OUTPUT = "images", "probabilities"
"""Names in the ONNX graph."""
INSTALL = "pip install 'paretrain[onnx]'"

Run = Callable[[Tensor], Tensor]


def can_write_onnx() -> bool:
    """Whether the packages of the extra are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript"))


def write_forms(
    folder: Path, model: PixelClassifier, data: DataConfig, classes: tuple[str, ...]
) -> tuple[dict[str, str], str]:
    """Write the forms; gives each file's SHA-256, and why there is no ONNX file, or nothing."""
    state = {name: tensor.contiguous() for name, tensor in model.network.state_dict().items()}
    metadata = {"format": "pt", "paretrain": __version__}
    # Not by save_file, which leaves a file that nobody else may read.
    (folder / WEIGHTS).write_bytes(save(state, metadata=metadata))
    program = pt2.export(model, data.image_size)
    torch.export.save(program, folder / PROGRAM)
    (folder / ONNX).unlink(missing_ok=True)  # of an attempt that failed later
    missing = f"it needs {INSTALL}"
    if can_write_onnx():
        missing = _write_onnx(folder / ONNX, program, data, classes)
    written = [name for name in FORM_FILES.values() if (folder / name).exists()]
    return {name: sha256(folder / name) for name in written}, missing


def _write_onnx(
    path: Path, program: ExportedProgram, data: DataConfig, classes: tuple[str, ...]
) -> str:
    """Also says how to resize and what the classes are, so that it can be served alone. Returns why
    it could not be written, or nothing."""
    try:
        with _quiet():
            exported = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
            )
    except RuntimeError as error:  # OnnxExporterError is one
        # A layer that ONNX does not know must not cost the training and the other forms.
        return f"the exporter says: {str(error).splitlines()[0]}"
    assert exported is not None  # only without dynamo
    about = {
        "classes": json.dumps(classes),
        "image_size": str(data.image_size),
        "fit": data.fit,
        "paretrain": __version__,
    }
    exported.model.metadata_props.update(about)
    exported.save(path)
    return ""


def open_form(
    folder: Path,
    form: Form,
    config: TrainConfig,
    classes: int,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    sha256s: dict[str, str],
    device: torch.device,
) -> Run:
    """What maps pixels (N, 3, image_size, image_size), uint8, to probabilities (N, classes), both
    on the CPU; the weights compute on `device`, the other forms on the CPU.

    `statistics` are the training images' means and deviations per channel. Raises UserError for a
    missing, truncated or foreign file, or where onnxruntime is missing.
    """
    path = folder / FORM_FILES[form]
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
    """Of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, form: Form, sha256s: dict[str, str]) -> None:
    if not path.exists():
        there = [name for name, file in FORM_FILES.items() if (path.parent / file).exists()]
        hint = f": it has --form {', '.join(there)}" if there else ""
        why = f" (written where the extra is installed: {INSTALL})" if form == "onnx" else ""
        raise UserError(f"no {path.name} in {path.parent}{why}{hint}")
    try:
        seen = sha256(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if seen != sha256s.get(path.name):
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
    pretrained = config.start.pretrained  # nothing is fetched: the weights are in the file
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
        raise UserError(f"--form onnx needs onnxruntime: {INSTALL}, or take another form") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, which are no ValueError
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
    """Without what the exporter says of itself, which nobody can act upon."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
