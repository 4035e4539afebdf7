"""Devices by name, on machines that have them and on machines that do not."""

import contextlib
import sys
from collections.abc import Iterator

import psutil
import pytest
import torch

from paretrain.cli import UserError
from paretrain.device import (
    device_name,
    libraries,
    native_precision,
    peak_memory,
    pick_device,
    still_computes,
    widest_float,
)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """This machine, as if it had that many GPUs, and no Apple one."""
    count = int(request.param)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return count


NONE = pytest.mark.parametrize("gpus", [0], indirect=True)
TWO = pytest.mark.parametrize("gpus", [2], indirect=True)


@pytest.mark.parametrize(
    "name", ["gpu", "", "CPU", "cuda:", "cuda:x", "cuda:-1", "tpu", "meta", "xpu", "cpu cuda"]
)
def test_unknown_device_is_named_with_what_is_allowed(name: str) -> None:
    with pytest.raises(UserError, match=f"unknown device '{name}'.*: allowed are auto, cpu, cuda"):
        pick_device(name)


@NONE
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_without_a_gpu_is_refused(gpus: int, name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' is not there.*no CUDA GPU.*--device auto"):
        pick_device(name)


@TWO
@pytest.mark.parametrize("name", ["cuda:2", "cuda:100"])
def test_gpu_beyond_the_last_is_refused(gpus: int, name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' is not there.*has 2 GPUs"):
        pick_device(name)


@TWO
def test_gpus_that_are_there_are_taken(gpus: int) -> None:
    assert [pick_device(name) for name in ("auto", "cuda", "cuda:0", "cuda:1")] == [
        torch.device("cuda"),
        torch.device("cuda"),
        torch.device("cuda", 0),
        torch.device("cuda", 1),
    ]


@NONE
def test_mps_on_another_machine_is_refused(gpus: int) -> None:
    with pytest.raises(UserError, match="'mps' is not there"):
        pick_device("mps")


@NONE
def test_auto_falls_back_to_the_cpu(gpus: int) -> None:
    assert pick_device("auto") == torch.device("cpu")


@NONE
def test_auto_takes_an_apple_gpu(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("mps") == torch.device("mps")


def test_cpu_is_always_there() -> None:
    device = pick_device("cpu")
    assert device == torch.device("cpu")
    assert device_name(device) == "cpu"
    assert native_precision(device) == "fp32"


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "fp32")])
def test_bf16_is_native_only_where_the_gpu_says_so(
    monkeypatch: pytest.MonkeyPatch, native: bool, precision: str
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert native_precision(torch.device("cuda")) == precision


def test_the_named_gpu_is_asked_and_not_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    current = [0]

    @contextlib.contextmanager
    def within(device: torch.device) -> Iterator[None]:
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", within)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: current[-1] == 1)
    assert native_precision(torch.device("cuda", 1)) == "bf16"
    assert native_precision(torch.device("cuda", 0)) == "fp32"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_has_a_name() -> None:
    assert device_name(pick_device("cuda")) not in ("", "cuda")


def test_the_most_memory_in_use_is_known_where_there_is_no_resource_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OnWindows:
        peak_wset = 12_345

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: OnWindows())
    assert peak_memory(torch.device("cpu")) == 12_345


def test_the_most_memory_in_use_is_at_least_what_is_in_use() -> None:
    assert psutil.Process().memory_info().rss * 0.9 <= peak_memory(torch.device("cpu")) < 2**40


def test_a_device_that_raises_at_a_sum_computes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert still_computes(torch.device("cpu"))

    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch, "ones", lost)
    assert not still_computes(torch.device("cpu"))


def test_apples_gpus_have_no_float64() -> None:
    assert widest_float(torch.device("mps")) == torch.float32
    assert widest_float(torch.device("cpu")) == widest_float(torch.device("cuda")) == torch.float64


def test_what_computes_on_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert libraries(torch.device("cpu")) == {}
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    before = libraries(torch.device("cuda"))
    assert before["cuda"] == "13.0" and before["cudnn"] == "91002"
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        after = libraries(torch.device("cuda"))
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert {key for key in after if after[key] != before[key]} == {"matrix products"}
