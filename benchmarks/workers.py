"""Time of the same trainings with one worker and with as many as `--workers auto` chooses.

    python -m benchmarks.workers --repeats 5 --out benchmarks/results

For each kind of images the choice is made anew in every repeat, as a search makes it. Then the same
first proposals are trained by one worker and by the chosen number of workers. What counts is the
time until all have ended. `--data FOLDER` adds images of your own.
"""

import argparse
import json
import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.markdown import page, publish
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.locate import resolve_source
from paretrain.data.names import short_name
from paretrain.device import pick_device
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.options import Options
from search.session.plan import Plan, settle
from search.session.prepared_run import PreparedRun
from search.session.runner import SIZED
from search.session.worker_count import choose
from search.workers.engine import Died
from search.workers.forecast import probe_all
from search.workers.pool import WorkerPool
from search.workers.protocol import Epoch, Failed, Finished, Go, Train

DIGITS: list[dict[str, int]] = [
    {"image_size": 16, "max_params": 20_000},
    {"image_size": 32, "max_params": 120_000},
]
OWN: dict[str, int] = {"image_size": 32, "max_params": 300_000, "per_class": 50}


def plan_of(source: str, settings: dict[str, int], epochs: int) -> Plan:
    """Return the plan that `python -m search.run` would make, with one worker."""
    options = Options(
        space=load_space("vgg_reduce"),
        data=DataConfig(source=source),
        limits=Limits(1),
        epochs=epochs,
        image_size=settings.get("image_size"),
        per_class=settings.get("per_class"),
        max_params=settings["max_params"],
        study_name="benchmark",
        device=pick_device("auto"),
        pruner="none",
        baselines="none",
    )
    return settle(options, None)


def proposals(plan: Plan, count: int) -> list[TrainConfig]:
    """Return the first proposals of a search."""
    data = load_data(plan.data)
    proposer = PreparedRun(plan, data, plan.constraints(data), baselines=()).proposer(trials=0)
    return [proposer.propose().config for _ in range(count)]


def seconds(plan: Plan, configs: Sequence[TrainConfig]) -> float:
    """Return the time of all these trainings, in their order, on workers that have loaded all.

    Raises RuntimeError when a worker dies or a training fails.
    """
    with WorkerPool(plan.worker_devices, plan.threads, plan.worker_environment) as pool:
        if probe_all(pool, configs[0]) is None:  # it makes them load libraries and images
            raise RuntimeError("a worker died while it was loading")
        start, left = time.perf_counter(), deque(enumerate(configs))
        training = 0
        for worker in pool.workers:
            if left:
                number, config = left.popleft()
                pool.send(worker, Train(trial=number, config=config))
                training += 1
        while training:
            received = pool.receive()
            assert received is not None
            worker, message = received
            if isinstance(message, Died | Failed):
                raise RuntimeError(str(message))
            if isinstance(message, Epoch):
                pool.send(worker, Go(trial=message.trial, epoch=message.result.epoch))
            elif isinstance(message, Finished):
                training -= 1
                if left:
                    number, config = left.popleft()
                    pool.send(worker, Train(trial=number, config=config))
                    training += 1
        return time.perf_counter() - start


def compare(source: str, settings: dict[str, int], trials: int, epochs: int) -> dict[str, Any]:
    """Choose workers, then time the same trainings with one worker and with as many as chosen."""
    plan = plan_of(source, settings, epochs)
    configs = proposals(plan, max(trials, SIZED))
    notes: list[str] = []
    auto = choose(plan, configs[:SIZED], source == "digits", notes.append)
    alone = seconds(replace(plan, auto_workers=False), configs[:trials])
    chosen = seconds(auto, configs[:trials])
    return {
        "data": short_name(source),
        "image size": plan.data.image_size,
        "chosen": f"{auto.workers} x {auto.threads}",
        "one worker s": alone,
        "chosen s": chosen,
        "ratio": alone / chosen,
        "measured": "; ".join(notes),
    }


def main() -> None:
    """Measure all kinds of images in turn, so that a busy moment of the machine hits all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--data", action="append", default=[], help="Folder or .csv of images.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    kinds = [("digits", settings) for settings in DIGITS]
    kinds += [(resolve_source(data), OWN) for data in options.data]
    results = []
    for _ in range(options.repeats):
        for source, settings in kinds:
            results.append(compare(source, settings, options.trials, options.epochs))
            print(json.dumps(results[-1]), flush=True)
    ratios = [result["ratio"] for result in results]
    words = [
        "Workers x threads; seconds for the same trainings; ratio of throughput, more than 1 where "
        "the",
        f"choice is faster. Median {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}.",
    ]
    title = "`--workers auto` against one worker"
    text = page(title, "python -m benchmarks.workers", words, results)
    publish(text, options.out, "workers.md")


if __name__ == "__main__":
    main()
