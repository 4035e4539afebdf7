"""A GPU that computes nothing: operations are checked for their devices and counted.

torch's fake tensors have a device and a shape but no values. An operation on two devices raises,
and so does one whose result must be known on the host, because a GPU would have to be waited for.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda")
_NO_KERNEL = {
    *("prim::device", "aten::detach", "aten::lift_fresh", "aten::alias", "aten::_unsafe_view"),
}


class Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts, within its block, what a device is asked to do."""

    def __init__(self, device: torch.device = GPU) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device.type
        self.kernels: Counter[str] = Counter()
        """Calls that compute something on the device, by name. Views and empty tensors are free."""
        self.to_host: Counter[str] = Counter()
        """Copies to the host, each of which waits for the GPU."""
        self.to_gpu: Counter[str] = Counter()
        """Copies from the host."""
        self.waiting = 0
        """How many of these wait until they are done."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        assert isinstance(func, OpOverload)
        name = func._schema.name
        inputs = {tensor.device.type for tensor in _tensors((args, kwargs)) if tensor.ndim}
        outputs = {tensor.device.type for tensor in _tensors(out)}
        if "cpu" in outputs and "cuda" in inputs:
            self.to_host[name] += 1
        elif inputs == {"cpu"} and "cuda" in outputs:
            self.to_gpu[name] += 1
            self.waiting += not (kwargs or {}).get("non_blocking", False)
        elif self._device in outputs | inputs and not _is_free(func):
            self.kernels[name] += 1
        return out


class _FusedOptimizers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """torch has no fake form of these. They change weights in place, all on one device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._schema.name.startswith("aten::_fused_"):
            assert {tensor.device.type for tensor in _tensors((args, kwargs))} == {"cuda"}
            return None
        return func(*args, **(kwargs or {}))


def _is_free(func: OpOverload) -> bool:
    name = func._schema.name
    return func.is_view or name in _NO_KERNEL or name.startswith(("aten::empty", "aten::new_empty"))


def _tensors(tree: object) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _tensors(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _tensors(value)


@contextmanager
def fake_gpu(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU in the block. Tensors that are made there have no values."""
    mode = FakeTensorMode()  # imports modules that use the names patched below
    # A generator of the GPU cannot be made without one. Fake draws need none of its numbers.
    patch.setattr(torch, "Generator", lambda device=None: torch._C.Generator("cpu"))
    patch.setattr(torch.cuda, "mem_get_info", lambda device=None: (8 * 2**30, 8 * 2**30))
    patch.setattr(nn.Module, "to", _move)
    # Weights are drawn on the CPU, where nothing waits; this way of drawing looks at its values.
    patch.setattr(nn.init, "trunc_normal_", lambda tensor, *_, **__: tensor)
    # Else autocast switches itself off.
    patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    patch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    patch.setattr(Tensor, "backward", _backward)
    with mode, _FusedOptimizers():  # type: ignore[no-untyped-call]
        yield


def _move(
    module: nn.Module, device: torch.device, memory_format: torch.memory_format | None = None
) -> nn.Module:
    """As `Module.to`, which cannot exchange the values of fake tensors."""

    def moved(tensor: Tensor) -> Tensor:
        there = tensor.detach().to(device)
        if memory_format is None or tensor.ndim != 4:
            return there
        return there.to(memory_format=memory_format)

    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(moved(weight), weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = moved(buffer)
    return module


def _backward(loss: Tensor) -> None:
    """Give gradients, without values, to the weights that a loss depends on.

    torch's own backward pass needs a driver. What it calls follows from the forward pass, so it is
    on the same devices.
    """
    todo, seen = [loss.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(weight := getattr(node, "variable", None), Tensor):
            weight.grad = torch.empty_like(weight)
        todo += [inner for inner, _ in node.next_functions]
