"""What a trial costs the coordinator, and what a study costs whoever looks at it, as it grows.

    python -m benchmarks.long_studies --trials 100,1000,3000,10000 --out benchmarks/results

A study of so many ended trials is made: random networks of `vgg_reduce`, with recorded curves
(benchmarks/tables), a quarter of them finished and the others stopped. Then the real coordinator
goes on with it over workers that answer at once from recorded curves, and every command looks at
it. Each size has a process of its own. All times are processor seconds of all threads together,
which depend less than others on what else the machine does; the exponent is the slope of a straight
line through (log trials, log seconds).
"""

import argparse
import io
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from optuna.trial import TrialState

from benchmarks.markdown import page, publish
from benchmarks.replay.tables import Row, read_table
from paretrain.config import DataConfig
from paretrain.data.noise import noise
from paretrain.describe import describe
from paretrain.training import EpochResult
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.sampling.proposer import Proposer
from search.session.budget import Budget, Limits
from search.session.coordinator import Coordinator
from search.session.events import Event
from search.session.open_study import existing_study, open_study
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.stopping.curve import Curve
from search.stopping.pruners import WithControlArm, make_rule
from search.stopping.rule import Decision, Rule, View
from search.study import attributes as attr
from search.study.batch import BatchWriter
from search.study.decisions import read_memory
from search.study.ledger import ledger
from search.study.records import COUNTED, curve_attributes, read_ends, size_attributes
from search.study.storage_url import StorageUrl
from search.study.writer import StudyWriter
from search.workers.protocol import Epoch, Finished, Go, Probe, Stop, Train

CURVES = Path(__file__).parent / "tables" / "vgg_reduce_cifar10" / "tuning"
EPOCHS, CLASSES, WORKERS, CAP = 20, 10, 4, 300_000
STOPPED_AFTER = (1, 1, 1, 2, 3, 5)
STUDY = "growth"


def plan(folder: Path, trials: int) -> Plan:
    """Return a run of the study up to so many trials."""
    return Plan(
        space=load_space("vgg_reduce"),
        data=DataConfig(image_size=32),
        storage=StorageUrl.of(folder / "studies.db"),
        study_name=STUDY,
        epochs=EPOCHS,
        max_params=CAP,
        workers=WORKERS,
        threads=1,
        device=torch.device("cpu"),
        precision="fp32",
        limits=Limits(trials, plateau=trials),
        seed=0,
        pruner="front",
        sampler="front",
        baselines="none",
    )


def results(row: Row) -> list[EpochResult]:
    """Return what a training with a recorded curve tells."""
    return [
        EpochResult(
            epoch=epoch,
            train_loss=1.0,
            train_acc=acc,
            val_loss=1 - acc,
            val_acc=acc,
            per_class=(acc,) * CLASSES,
            lr=0.1,
            seconds=1.0,
            health="one class" if one else "ok",
        )
        for epoch, acc, one in zip(count(1), row.accs, row.one_class, strict=False)
    ]


def make_study(folder: Path, trials: int, rows: Sequence[Row]) -> None:
    """Write a study of so many ended trials."""
    planned, data = plan(folder, trials), noise(CLASSES)
    writer = StudyWriter(open_study(planned, data), lambda error: None)
    constraints, rng = planned.constraints(data), random.Random(0)
    for number, order in zip(range(trials), count(1)):
        size, trial = None, RandomTrial(rng)
        while size is None or size > CAP:
            trial = RandomTrial(rng)
            config = constraints.complete(planned.space.suggest(trial))
            size = constraints.size(config)
        told = results(rows[number % len(rows)])
        finished = number % 4 == 0
        told = told if finished else told[: STOPPED_AFTER[number % len(STOPPED_AFTER)]]
        final = told[-1].val_acc
        numbers = {
            "epoch": len(told),
            "val_acc": final,
            "expected": final,
            "low": max(0.0, final - 0.1),
            "high": min(1.0, final + 0.1),
        }
        memory = {"order": order, "first_gains": [[number, 0.01]], "ends": [[number, final]]}
        said = {"reason": "as recorded", "why": "as recorded", "stop": not finished, **numbers}
        attributes = {
            attr.CONFIG: config.to_dict(),
            attr.WORDS: describe(config),
            attr.ORIGIN: "random",
            **size_attributes(constraints, config, size),
            **curve_attributes(told),
            attr.SPENT: {"epochs": len(told), "seconds": float(len(told)), "lost_seconds": 0.0},
            attr.DECISIONS: [said | {"memory": memory}],
            attr.NUMBERS: numbers,
            attr.VERDICT: "finished" if finished else "stopped",
        }
        writer.add(number, trial.params, trial.distributions, attributes)
        if finished:
            writer.end(number, {}, TrialState.COMPLETE, [final, float(size)])
        else:
            writer.end(number, {}, TrialState.PRUNED)
    writer.release()
    writer.close()
    assert writer.error is None, writer.error


class RecordedWorkers:
    """A pool whose workers answer at once, from recorded curves."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self._said = rows, list[tuple[int, object]]()

    @property
    def workers(self) -> Sequence[int]:
        """See `Pool`."""
        return range(WORKERS)

    def device(self, worker: int) -> str:
        """See `Pool`."""
        return "cpu"

    def machine(self, worker: int) -> str:
        """See `Pool`."""
        return ""

    def silence(self, worker: int) -> float:
        """See `Pool`."""
        return 0.0

    def send(self, worker: int, message: Train | Probe | Go | Stop) -> None:
        """See `Pool`."""
        if isinstance(message, Train | Go):
            done = message.epoch if isinstance(message, Go) else 0
            told = results(self._rows[message.trial % len(self._rows)])
            self._said.append((worker, Epoch(trial=message.trial, result=told[done])))
            if done + 1 == EPOCHS:
                self._said.append((worker, Finished(trial=message.trial, seconds=1.0)))
        elif isinstance(message, Stop):
            self._said.append((worker, Finished(trial=message.trial, seconds=1.0)))

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        """See `Pool`."""
        if not self._said and timeout:
            time.sleep(min(timeout, 0.005))
        return self._said.pop(0) if self._said else None

    def wake(self, message: object) -> None:
        """See `Pool`."""
        self._said.append((-1, message))

    def restart(self, worker: int, lost: bool = False) -> bool:
        """See `Pool`."""
        return False

    def use_threads(self, threads: int) -> None:
        """See `Pool`."""

    def close(self) -> None:
        """See `Pool`."""

    def __enter__(self) -> Self:
        """See `Pool`."""
        return self

    def __exit__(self, *_: object) -> None:
        """See `Pool`."""


class Stopwatch:
    """Processor seconds of the calling thread in some functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""
        times = self.seconds.setdefault(name, [])

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                times.append(time.thread_time() - start)

        return timed


class TimedRule:
    """A rule whose decisions are timed."""

    def __init__(self, rule: Rule, watch: Stopwatch) -> None:
        self._decide = watch.around("decision", rule.decide)

    def decide(self, trial: Curve, view: View) -> Decision:
        """See `Rule`."""
        decision: Decision = self._decide(trial, view)
        return decision


@contextmanager
def spent() -> Iterator[list[float]]:
    """Give a list that afterwards has the processor seconds of this process meanwhile."""
    seconds: list[float] = []
    start = time.process_time()
    yield seconds
    seconds.append(time.process_time() - start)


def go_on(folder: Path, trials: int, more: int, rows: Sequence[Row]) -> dict[str, float]:
    """Go on with a study as `search.run` does; return what each step cost."""
    planned, data, watch = plan(folder, trials + more), noise(CLASSES), Stopwatch()
    run = PreparedRun(planned, data, planned.constraints(data), ())
    pool, first = RecordedWorkers(rows), dict[str, float]()
    begun = time.process_time()

    def tell(event: Event) -> None:
        first.setdefault("resume", time.process_time() - begun)

    study = open_study(planned, data, existing_study(planned))
    known = study.get_trials(deepcopy=False)
    rule = WithControlArm(make_rule("front", False, read_memory(known, None)), 0)
    budget = Budget(planned.limits, EPOCHS, 0.1, trials, ledger(known, EPOCHS).spent.epochs)
    budget.recall(read_ends(known))
    Proposer.propose = watch.around("proposal", Proposer.propose)  # type: ignore[method-assign]
    BatchWriter.write = watch.around("writing", BatchWriter.write)  # type: ignore[method-assign]
    coordinator = Coordinator(run, study, known, TimedRule(rule, watch), budget, pool, tell)
    outcome = coordinator.run()
    assert outcome.ending == "done", outcome
    whole = time.process_time() - begun - first["resume"]
    ended = study.get_trials(deepcopy=False, states=COUNTED)
    assert len(ended) == trials + more
    seconds = watch.seconds
    return {
        "a trial in all": whole / more,
        "proposal": float(np.mean(seconds["proposal"][1:])),
        "decision": float(np.mean(seconds["decision"][1:])),
        "first decision": seconds["decision"][0],
        "writing, a trial": sum(seconds["writing"]) / more,
        "resume": first["resume"],
    }


def command(folder: Path, *words: str) -> dict[str, float]:
    """Return the processor seconds and the memory of a command."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=log
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        assert process.returncode == 0, log.read()
    name = words[0].split(".")[-1]
    return {name: used.ru_utime + used.ru_stime, f"{name}, MB": used.ru_maxrss / 1024}


def study_page(folder: Path, trials: int) -> dict[str, float]:
    """Return the processor seconds until the dashboard has answered: to a browser that opens the
    study, and to the same one a while later, when a trial has ended meanwhile; then to another
    browser that opens it."""
    import optuna_dashboard

    from search.reporting.dashboard.ended_kept import ended_trials_kept
    from search.reporting.dashboard.ended_once import look_at_ended_trials_once
    from search.reporting.dashboard.refresh import IMPORTANCES_S, Pace, Refresher
    from search.reporting.dashboard.server import refreshing
    from search.reporting.dashboard.storage import DashboardStorage

    place = StorageUrl.of(folder / "studies.db")
    storage = DashboardStorage(place)
    refresher = Refresher(storage, place)
    refresher.slow = Pace(1e9 * IMPORTANCES_S)  # in another thread, and nobody waits for them
    dashboard = optuna_dashboard.wsgi(storage)
    look_at_ended_trials_once(dashboard, storage.study)
    ask = refreshing(ended_trials_kept(dashboard, storage), refresher)

    def look(after: int) -> float:
        answered: list[str] = []
        asked = {"PATH_INFO": "/api/studies/1", "REQUEST_METHOD": "GET"}
        with spent() as seconds:
            environ = {**asked, "QUERY_STRING": f"after={after}", "wsgi.input": io.BytesIO()}
            said = b"".join(ask(environ, lambda status, headers, *more: answered.append(status)))
        assert answered == ["200 OK"] and b'"trials"' in said, said[:200]
        return seconds[0]

    first = look(0)
    study = storage.study(1)
    study.tell(study.ask(), state=TrialState.FAIL)
    refresher.quick = Pace()
    time.sleep(11)  # optuna-dashboard itself looks at the database again after ten seconds
    return {
        "dashboard, first look": first,
        "dashboard, next look": look(trials),
        "dashboard, opened again": look(0),
    }


STEPS = ("go-on", "status", "export", "page", "report")


def measure(folder: Path, trials: int, more: int, steps: Sequence[str]) -> dict[str, float]:
    """Return all figures of one size."""
    rows = [row for row in read_table(CURVES, 0.1).rows if len(row.accs) == EPOCHS]
    # In a process of its own: what is measured has not made the study.
    maker = get_context("spawn").Process(target=make_study, args=(folder, trials, rows))
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    found: dict[str, float] = {}
    named = ("--study-name", STUDY)
    # First, while this process is small: Linux counts it into the memory of its children.
    if "status" in steps:
        found |= command(folder, "search.status", *named)
    if "export" in steps:
        found |= command(folder, "search.export", *named, "--best", "--out", "best.yaml")
    if "report" in steps:
        found |= command(folder, "search.report", *named)
    if "go-on" in steps:
        found |= go_on(folder, trials, more, rows)
        found["resume and search, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trials += more
    if "page" in steps:
        found |= study_page(folder, trials)
    return found


def exponent(by_trials: dict[int, float]) -> float:
    """Return the slope of log seconds over log trials."""
    x = [math.log(trials) for trials in by_trials]
    y = [math.log(max(seconds, 1e-6)) for seconds in by_trials.values()]
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else 0.0


def main() -> None:
    """Entry point; `--size` measures one size and prints JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", default="100,1000,3000,10000")
    parser.add_argument("--more", type=int, default=30, help="trials that the coordinator adds")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of these")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.size is not None:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PARETRAIN_CACHE"] = f"{folder}/cache"
            steps = options.steps.split(",")
            print(json.dumps(measure(Path(folder), options.size, options.more, steps)))
        return
    found: dict[int, dict[str, float]] = {}
    again = [sys.executable, "-m", "benchmarks.long_studies", "--steps", options.steps]
    for trials in map(int, options.trials.split(",")):
        words = [*again, "--size", str(trials), "--more", str(options.more)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        found[trials] = json.loads(done.stdout)
        print(trials, done.stdout, file=sys.stderr, flush=True)
    rows = [
        {
            "processor seconds": name,
            **{f"{trials:,}": f"{found[trials][name]:.3g}" for trials in found},
            "exponent": exponent({trials: found[trials][name] for trials in found}),
        }
        for name in next(iter(found.values()))
    ]
    words = [
        "Processor seconds of all threads, on a machine that others used too. A study of so many "
        f"ended trials goes on for {options.more} more, over {WORKERS} workers that answer at "
        "once.",
    ]
    publish(
        page("A study that grows", "python -m benchmarks.long_studies", words, rows),
        options.out,
        "long_studies.md",
    )


if __name__ == "__main__":
    main()
