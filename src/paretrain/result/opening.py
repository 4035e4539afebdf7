"""Opens a file of a trained network, in one of the three formats, to classify with it.

A file is compared with the SHA-256 that the training noted, and with what the configuration says of
its size. So one that is cut off, or belongs to another network, is refused before anything is
computed, and before it takes memory.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.network_config import OwnConfig
from paretrain.networks.build import build_network
from paretrain.paths import is_file, sha256
from paretrain.result import pt2
from paretrain.result.classifier import PixelClassifier
from paretrain.result.formats import FORMAT_FILES, INPUT, INSTALL, OUTPUT, Format
from paretrain.result.metrics import Metrics

Run = Callable[[Tensor], Tensor]

MOST_OVERHEAD = 64_000_000
"""Most bytes of a file beside its numbers: names, and the graph of the operations."""
ONNX_MEMORY = 4 * 2**30
"""Most bytes that onnxruntime may take for what it computes: a graph can ask for any number."""


ONNX_SECONDS = 600.0
"""Longest time for one call of onnxruntime: a loop in a graph can go round any number of times."""


@dataclass(frozen=True)
class Opened:
    """A function that classifies, and what it computes with where that is a module of torch.

    `run` maps uint8 pixels (N, 3, image_size, image_size) to probabilities (N, classes), both on
    the CPU.
    """

    run: Run
    module: nn.Module | None


def open_format(
    folder: Path,
    form: Format,
    config: TrainConfig,
    metrics: Metrics,
    device: torch.device,
    flip: bool = False,
) -> Opened:
    """Open the file of a format. The weights compute on `device`, the other formats on the CPU.

    With `flip` an answer is the mean of those to an image and to its mirror image. Files of the
    other formats that were written so do it by themselves.

    Raises UserError for a file that is missing, cut off, changed, too large, or of another network,
    and where onnxruntime is missing.
    """
    path = folder / FORMAT_FILES[form]
    _refuse_missing(path, form)
    try:
        if isinstance(config.network, OwnConfig) and form != "weights":
            # The other formats need none of its code.
            _refuse_large(path, metrics.num_params or 0)
            check_sum(path, metrics)
        else:
            network = _planned(config, len(metrics.classes))
            _refuse_large(path, most_numbers(network))
            check_sum(path, metrics)
            if form == "weights":
                return _weights(path, network, config, metrics, device, flip)
        opened = _program(path) if form == "pt2" else Opened(_onnx(path), None)
        return _mirrored(opened) if flip and not metrics.test_time_flip else opened
    except (ValueError, OSError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"cannot use {path}: {error}: train again, or take another --form"
        ) from None


def _mirrored(opened: Opened) -> Opened:
    run = opened.run
    return Opened(lambda pixels: (run(pixels) + run(pixels.flip(3))) / 2, opened.module)


def check_sum(path: Path, metrics: Metrics) -> None:
    """Raise UserError unless a file is the one that the training wrote."""
    try:
        current = sha256(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if current != metrics.sha256.get(path.name):
        raise UserError(
            f"{path} is not the file that this training wrote: it is cut off, changed or of "
            "another network (its SHA-256 is not the one in metrics.json): copy the folder again"
        )


def _refuse_missing(path: Path, form: Format) -> None:
    if is_file(path):
        return
    others = [name for name, file in FORMAT_FILES.items() if is_file(path.parent / file)]
    hint = f": it has --form {', '.join(others)}" if others else ""
    why = f" (written where the extra is installed: {INSTALL})" if form == "onnx" else ""
    raise UserError(f"no {path.name} in {path.parent}{why}{hint}")


def _planned(config: TrainConfig, classes: int) -> nn.Module:
    """Return the network that the configuration names, without memory for its numbers."""
    pretrained = config.start.pretrained  # downloads nothing: the weights are in the file
    with torch.device("meta"):
        return build_network(config.network, classes, config.data.image_size, pretrained)


def most_numbers(network: nn.Module) -> int:
    """Return how many numbers a file of the network holds at most: what layers share, once for each
    of its names."""
    # Buffers that are in no state dict are in the other formats.
    return sum(tensor.numel() for tensor in (*network.state_dict().values(), *network.buffers()))


def _refuse_large(path: Path, numbers: int) -> None:
    """Raise ValueError for a file, or a network of so many numbers, that is far too large."""
    size, most = path.stat().st_size, MOST_OVERHEAD + 8 * numbers
    if size > most:
        raise ValueError(f"it has {size:,} bytes, its network at most {most:,}")
    memory = psutil.virtual_memory().total
    if 4 * numbers > memory:
        raise ValueError(f"its network takes {4 * numbers:,} bytes, this machine has {memory:,}")


def _weights(
    path: Path,
    planned: nn.Module,
    config: TrainConfig,
    metrics: Metrics,
    device: torch.device,
    flip: bool,
) -> Opened:
    expected = {name: list(tensor.shape) for name, tensor in planned.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        if wrong := sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        ):
            raise ValueError(
                f"{wrong[0]} is {_shape(found, wrong[0])}, in config.yaml "
                f"{_shape(expected, wrong[0])}"
            )
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    for name, tensor in state.items():
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} holds what is no number")
    network = build_network(
        config.network, len(metrics.classes), config.data.image_size, config.start.pretrained
    )
    network.load_state_dict(state)
    # The layout in which training computes, so that its accuracy comes out again.
    network.to(memory_format=torch.channels_last)
    classifier = PixelClassifier(network, metrics.mean, metrics.std, flip).eval().to(device)
    return Opened(lambda pixels: _tensor(classifier(pixels.to(device)).cpu()), classifier)


def _shape(shapes: dict[str, list[int]], name: str) -> str:
    return "x".join(map(str, shapes[name])) or "a number" if name in shapes else "missing"


def _program(path: Path) -> Opened:
    program = pt2.load(path)

    def run(pixels: Tensor) -> Tensor:
        try:
            return _tensor(program(pixels))
        except RuntimeError as error:
            raise UserError(f"{path} does not compute: {str(error).splitlines()[0]}") from None

    return Opened(run, program)


def _onnx(path: Path) -> Run:
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"--form onnx needs onnxruntime: {INSTALL}, or take another format"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is said once, in one line
    options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        onnxruntime.create_and_register_allocator(
            onnxruntime.OrtMemoryInfo(
                "Cpu",
                onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
                0,
                onnxruntime.OrtMemType.DEFAULT,
            ),
            onnxruntime.OrtArenaCfg({"max_mem": ONNX_MEMORY}),
        )
        # Without a fallback, of which there is none on the CPU but which onnxruntime prints about.
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # onnxruntime has classes of its own
        raise ValueError(_first_line(error)) from None

    def run(pixels: Tensor) -> Tensor:
        limits = onnxruntime.RunOptions()
        out_of_time = threading.Timer(ONNX_SECONDS, setattr, (limits, "terminate", True))
        out_of_time.daemon = True
        out_of_time.start()
        try:
            (answer,) = session.run([OUTPUT], {INPUT: pixels.contiguous().numpy()}, limits)
            return torch.from_numpy(answer)
        except Exception as error:
            if limits.terminate:
                raise UserError(
                    f"{path} computed for {ONNX_SECONDS:.0f} s without an answer: "
                    "classify fewer images at once, or take another --form"
                ) from None
            raise UserError(f"{path} does not compute: {_first_line(error)}") from None
        finally:
            out_of_time.cancel()

    return run


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _tensor(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise UserError("the program gives no probabilities: take another --form")
    return value
