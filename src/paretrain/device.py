"""Choice of the device and of its arithmetic, names of devices, memory in use."""

import contextlib
import sys

import psutil
import torch

from paretrain.cli import UserError, nearest
from paretrain.config import Precision


def pick_device(name: str) -> torch.device:
    """Return the device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises UserError when the name is unknown or the device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    unknown = f"unknown device '{name}'{_meant(name)}: allowed are auto, cpu, cuda, cuda:N, mps"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(unknown) from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            have = f"{count} GPU{'s' if count != 1 else ''}" if count else "no CUDA GPU"
            raise UserError(
                f"device '{name}' is not there: this machine has {have}: use --device auto"
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device 'mps' is not there: use --device auto")
    elif device.type not in ("cpu", "mps"):
        raise UserError(unknown)
    return device


def _meant(name: str) -> str:
    if name.lower().startswith(("gpu", "nvidia")):  # as it is written, it is nearer to `cpu`
        return " (did you mean 'cuda'?)"
    return nearest(name, ("auto", "cpu", "cuda", "mps"))


def native_precision(device: torch.device) -> Precision:
    """Return bf16 where the GPU computes it natively (it needs no loss scaling), else fp32."""
    if device.type != "cuda":
        return "fp32"
    # torch asks the current GPU, which need not be the named one.
    named = contextlib.nullcontext() if device.index is None else torch.cuda.device(device)
    with named:
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if native else "fp32"


def refuse_foreign_precision(
    precision: Precision, device: torch.device, trained: str, used: str
) -> None:
    """Raise UserError when a training in bf16 would not be computed natively.

    `trained` and `used` are the message's words for what was trained, and for the device that it
    was trained on.
    """
    if precision == "bf16" and native_precision(device) != "bf16":
        raise UserError(
            f"{trained} in bf16, which {device_name(device)} does not compute natively: use the "
            f"device that {used}"
        )


def widest_float(device: torch.device) -> torch.dtype:
    """Return the widest floating-point type that a device has: float64, but not on Apple's GPUs."""
    return torch.float32 if device.type == "mps" else torch.float64


def still_computes(device: torch.device) -> bool:
    """Whether a device still works. After some errors CUDA refuses all work until the process ends.

    Such are an illegal address or a failed assertion in a kernel. What they are called differs
    between versions, so a sum is tried instead.
    """
    try:
        return float(torch.ones(2, device=device).sum()) == 2.0
    except RuntimeError:
        return False


def device_name(device: torch.device) -> str:
    """Return the name of the device for people: `NVIDIA H100`, `cpu`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def libraries(device: torch.device) -> dict[str, str]:
    """Return what computes on a GPU beside torch, and how; empty for a CPU.

    Convolutions in fp32 are computed in TF32, which has 10 bits of mantissa, where that is on.
    """
    if device.type != "cuda":
        return {}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(cudnn),
        "convolutions": "tf32" if torch.backends.cudnn.allow_tf32 else "fp32",
        "matrix products": "tf32" if torch.backends.cuda.matmul.allow_tf32 else "fp32",
    }


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has used so far: reserved on a GPU, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
