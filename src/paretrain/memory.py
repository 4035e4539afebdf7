"""Lack of memory: how to recognise it, and roughly how much a training needs."""

import psutil
import torch

from paretrain.config import TrainConfig, VGGConfig
from paretrain.networks.build import count_activations, count_parameters

# What allocators, drivers and libraries say when memory is short. The list is that of
# github.com/huggingface/accelerate, utils/memory.py, but for CUDNN_STATUS_NOT_SUPPORTED: a kernel
# that does not exist is no lack of memory. A handle that cannot be made is one in practice.
_SIGNS = (
    "out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory was short, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def refuse_larger_than_memory(config: TrainConfig, num_classes: int) -> None:
    """Raise ValueError for a network whose weights and their gradients this machine cannot hold.

    Without this the system would end the process, and other ones, without a word.
    """
    parameters = count_parameters(config.network, num_classes, config.data.image_size)
    if isinstance(config.network, VGGConfig) and config.network.norm == "lrn":
        # Each has a matrix of its channels.
        parameters += sum(len(stage.kernels) * stage.width**2 for stage in config.network.stages)
    memory = psutil.virtual_memory().total
    if 8 * parameters > memory:
        raise ValueError(
            f"its network of {parameters:,} numbers needs more memory than this machine has, "
            f"{memory / 1e9:,.0f} GB: take smaller widths"
        )


def estimate_memory(config: TrainConfig, num_classes: int) -> int:
    """Return roughly the bytes that a training step keeps at once, to compare configurations.

    They are weights and their average, gradients, the optimizer's moments, and the activations of
    one (micro-)batch with their gradients. Libraries need more on top.

    Raises ValueError when the network cannot take images of this size.
    """
    size = config.data.image_size
    copies = (3 if config.optimizer.kind == "sgd" else 4) + (1 if config.ema else 0)
    weights = 4 * copies * count_parameters(config.network, num_classes, size)
    images = min(config.batch_size, config.micro_batch or config.batch_size)
    width = 2 if config.precision == "bf16" else 4
    return weights + 2 * width * images * count_activations(config.network, num_classes, size)
