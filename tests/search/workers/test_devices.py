"""Cores, devices and threads of the workers."""

import pytest
import torch

from search.workers.devices import threads_per_worker, worker_devices


def test_workers_take_the_gpus_in_turn_unless_one_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert worker_devices(torch.device("cuda"), 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert worker_devices(torch.device("cuda:1"), 2) == ["cuda:1", "cuda:1"]
    assert worker_devices(torch.device("cpu"), 2) == ["cpu", "cpu"]


@pytest.mark.parametrize(
    ("workers", "digits", "threads"), [(1, False, 6), (4, False, 1), (9, False, 1), (1, True, 1)]
)
def test_cores_are_shared_out_except_for_the_digits(
    monkeypatch: pytest.MonkeyPatch, workers: int, digits: bool, threads: int
) -> None:
    monkeypatch.setattr("search.workers.devices.cores", lambda: 6)
    assert threads_per_worker(workers, digits) == threads
