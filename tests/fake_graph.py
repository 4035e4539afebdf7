"""A CUDA graph on the CPU: operations are recorded with their tensors and numbers, and repeated.

As on a GPU, recording changes nothing, a replay knows no Python code, plain numbers stay as they
were, and results are written to where the recorded step had them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.fake_gpu import _tensors

_WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal"}
"""Operations whose result the host must know."""


class _Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Any]] = {}
        """What stood in the tensors that were not made here."""
        self._made: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._schema.name in _WAITS:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        for tensor in _tensors((args, kwargs or {})):
            place = tensor.untyped_storage().data_ptr()
            if place not in self._made and place not in self.before:
                storage: Any = tensor.untyped_storage()
                self.before[place] = (tensor, storage.clone())
        out = func(*args, **(kwargs or {}))
        known = self.before.keys()
        self._made |= {t.untyped_storage().data_ptr() for t in _tensors(out)} - known
        self.done.append((func, args, dict(kwargs or {}), out))
        return out


class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, waits: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waits = waits

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func._schema.name in _WAITS:
            self._waits.append(func._schema.name)
        return func(*args, **(kwargs or {}))


class FakeCapture:
    """Stands in for `step_graph.CudaCapture`."""

    def __init__(self, refuses: Exception | None = None, blind: bool = False) -> None:
        """`refuses`: what recording raises. `blind`: nothing is seen to wait."""
        self._refuses, self._blind = refuses, blind
        self._steps: list[tuple[Any, Any, Any, Any]] = []
        self.replays = 0

    @contextmanager
    def aside(self) -> Iterator[list[str]]:
        waits: list[str] = []
        with _Watching([] if self._blind else waits):
            yield waits

    def record(self, step: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        drawn = torch.get_rng_state()
        recording = _Recording()
        try:
            with recording:
                out = step()
            if self._refuses is not None:
                raise self._refuses
        finally:
            for tensor, values in recording.before.values():
                storage: Any = tensor.untyped_storage()
                storage.copy_(values)
            torch.set_rng_state(drawn)
        self._steps = recording.done
        return out

    def forget(self) -> None:
        """From now on replays compute nothing."""
        self._steps = []

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for func, args, kwargs, recorded in self._steps:
            if func.is_view:
                continue
            for there, now in zip(_tensors(recorded), _tensors(func(*args, **kwargs)), strict=True):
                if there is not now:
                    there.copy_(now)
