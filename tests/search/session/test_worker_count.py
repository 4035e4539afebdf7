"""How many workers: found by measuring."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from search.session.plan import Plan
from search.session.runner import _with_workers
from search.session.worker_count import GAIN, candidates, choose
from tests.harness import RunMain

MakePlan = Callable[..., Plan]


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, [(1, 1)]),
        (2, [(1, 2), (2, 1)]),
        (6, [(1, 6), (2, 3), (4, 1), (6, 1)]),
        (8, [(1, 8), (2, 4), (4, 2), (8, 1)]),
    ],
)
def test_a_new_study_shares_all_cores_out(
    monkeypatch: pytest.MonkeyPatch, plan: MakePlan, cores: int, expected: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr("search.session.worker_count.cores", lambda: cores)
    assert candidates(plan("vgg_reduce"), threads_fixed=False) == expected


def test_an_existing_study_keeps_its_threads(
    monkeypatch: pytest.MonkeyPatch, plan: MakePlan
) -> None:
    monkeypatch.setattr("search.session.worker_count.cores", lambda: 8)
    assert candidates(plan("vgg_reduce", threads=2), threads_fixed=True) == [(1, 2), (2, 2), (4, 2)]
    gpu = replace(plan("vgg_reduce", threads=1), device=torch.device("cuda"))
    assert candidates(gpu, threads_fixed=True) == [(n, 1) for n in (1, 2, 3, 4, 6)]


@pytest.mark.parametrize(
    ("gpus", "cores", "expected"),
    [
        (2, 16, [2, 4, 6, 8, 12]),
        (3, 64, [3, 6, 9, 12, 18, 24, 36, 48]),
        (8, 8, [8]),  # fewer cores than workers, but no GPU is left idle
    ],
)
def test_every_gpu_of_a_machine_has_equally_many_workers(
    monkeypatch: pytest.MonkeyPatch, plan: MakePlan, gpus: int, cores: int, expected: list[int]
) -> None:
    monkeypatch.setattr("search.session.worker_count.cores", lambda: cores)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    box = replace(plan("vgg_reduce"), device=torch.device("cuda"))
    assert candidates(box, threads_fixed=False) == [(n, 1) for n in expected]
    named = replace(box, device=torch.device("cuda", 1))
    assert candidates(named, threads_fixed=False)[0] == (1, 1)


def test_where_latency_is_measured_each_gpu_has_one_worker(
    monkeypatch: pytest.MonkeyPatch, plan: MakePlan
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr("search.session.worker_count.cores", lambda: 64)
    monkeypatch.setattr("search.session.worker_count.throughput", None)  # nothing is tried
    box = replace(plan("vgg_reduce"), device=torch.device("cuda"), objective="latency")
    said: list[str] = []
    chosen = choose(box, [], False, said.append)
    assert chosen.workers == 3 and len(set(chosen.worker_devices)) == 3
    assert said == ["3 workers: latencies are measured with the GPU for themselves"]


@pytest.mark.parametrize(
    ("objective", "workers", "noted"),
    [("latency", 4, True), ("latency", 3, False), ("params", 4, False)],
)
def test_latencies_beside_neighbours_are_noted(
    monkeypatch: pytest.MonkeyPatch, plan: MakePlan, objective: str, workers: int, noted: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    box = replace(plan("vgg_reduce"), device=torch.device("cuda"), workers=workers)
    box = replace(box, objective=objective, auto_workers=False)  # type: ignore[arg-type]
    after = _with_workers(box, [], Console(quiet=True))
    assert [note.startswith("latencies contain") for note in after.notes] == [True] * noted


def test_auto_takes_more_workers_only_where_they_train_more(
    monkeypatch: pytest.MonkeyPatch,
    plan: MakePlan,
) -> None:
    rates = {1: 100.0, 2: 100.0 * GAIN + 1, 4: 100.0 * GAIN + 2}
    monkeypatch.setattr("search.session.worker_count.cores", lambda: 4)
    monkeypatch.setattr(
        "search.session.worker_count.throughput", lambda p, _: (rates[p.workers], 0.0)
    )
    said: list[str] = []
    assert choose(plan("vgg_reduce"), [], False, said.append).workers == 2
    assert len(said) == 3
    rates[2] = 99.0
    assert choose(plan("vgg_reduce"), [], False, said.append).workers == 1


def test_workers_share_a_gpu_only_as_far_as_its_memory_is_predicted_to_go(
    monkeypatch: pytest.MonkeyPatch,
    plan: MakePlan,
) -> None:
    tried: list[int] = []

    def measured(tried_plan: Plan, _: object) -> tuple[float, float]:
        tried.append(tried_plan.workers)
        return 100.0 * tried_plan.workers, 10e9  # a worker needs 10 GB at its largest probe

    monkeypatch.setattr("search.session.worker_count.cores", lambda: 17)
    monkeypatch.setattr("search.session.worker_count.throughput", measured)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60e9, 80e9))
    said: list[str] = []
    gpu = replace(plan("vgg_reduce"), device=torch.device("cuda"))
    # 4 x (1.15 x 10 GB + 0.6 GB) is within 90 % of 60 GB, 6 x that is not, and is never tried out.
    assert choose(gpu, [], True, said.append).workers == 4
    assert tried == [1, 2, 3, 4]
    assert said[-1] == "6 workers would not fit into the GPU's memory"


@pytest.mark.slow
def test_auto_measures_for_real(search: RunMain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.session.worker_count.SECONDS", 0.2)
    options = ("--workers", "auto", "--trials", "3", "--epochs", "1", "--image-size", "16")
    done = search(*options, "--json", "--baselines", "none")
    assert done.code == 0, done.err
    events = done.events
    assert "worker" in events[0]["device"]
    assert events[-1]["ledger"]["spent"]["trials"] == 3
