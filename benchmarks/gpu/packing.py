"""Trainings an hour with 1, 2, 4, ... workers on one GPU, plain and with NVIDIA's MPS."""

from dataclasses import replace

from benchmarks.workers import plan_of, proposals, seconds
from search.workers.devices import gpu_uuids
from search.workers.mps import multi_process_service

SETTINGS = {"image_size": 32, "max_params": 500_000}


def compare(source: str, workers: list[int], trials: int, epochs: int) -> list[dict[str, object]]:
    """Train the same proposals with each number of workers, without and with MPS."""
    plan = plan_of(source, SETTINGS, epochs)
    configs = proposals(plan, trials)

    def per_hour(count: int) -> float:
        return 3600 * trials / seconds(replace(plan, workers=count, threads=1), configs)

    rates = [(count, "no", per_hour(count)) for count in workers]
    with multi_process_service(gpu_uuids) as sharing:
        print(sharing.words)
        if sharing.environment:
            plan = replace(plan, sharing=sharing.environment)
            rates += [(count, "yes", per_hour(count)) for count in workers if count > 1]
    first = rates[0][2]
    return [
        {"workers": count, "MPS": shared, "trainings/h": rate, "over one worker": rate / first}
        for count, shared, rate in rates
    ]
