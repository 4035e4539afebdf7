"""A planned run from its first line on the screen to its last."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from rich.console import Console

from paretrain.cli import terminable
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.formatting import count_of
from search.problem.baselines import Baseline, baselines
from search.problem.constraints import Gate
from search.problem.target import Aim
from search.reporting.control_arm import control_arm
from search.sampling.proposer import COST_POWER, Proposer
from search.session.budget import Budget
from search.session.coordinator import Coordinator
from search.session.open_study import (
    enqueue,
    open_study,
    requeue_interrupted,
    space_has_changed,
    stored_settings,
)
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.session.progress import emit, reporter
from search.session.startup_text import say_first, say_labelled, say_time
from search.session.summary import as_event, print_summary
from search.session.weights import with_weights
from search.session.worker_count import choose
from search.stopping.expected_share import expected_share
from search.stopping.pruners import WithControlArm, make_rule
from search.study.attributes import BASELINE, OWNER
from search.study.ledger import ledger
from search.study.owner import refuse_unless_owned, sole_owner
from search.study.provenance import checkpoint_folder
from search.study.records import COUNTED, read_ends, read_records
from search.workers.devices import cores
from search.workers.forecast import LATER, Course, Forecast, forecast
from search.workers.pool import WorkerPool

Style = Literal["person", "json", "quiet"]

PROBES, SIZED = 8, 3
"""Networks measured for the forecast, and for each number of workers with --workers auto."""
ENOUGH = 15
"""Trials after which a study's own share of saved epochs is used for the forecast."""
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


def search(plan: Plan, style: Style, dry_run: bool) -> int:
    """Carry the plan out; returns the exit code. Raises UserError before anything is created."""
    screen = Console(stderr=True, quiet=style != "person")
    data = load_data(plan.data)
    gate = plan.gate(data)
    by_hand = [base.config for base in baselines(plan.space, gate, plan.baselines)]
    gate, notes = with_weights(plan, gate, by_hand)
    plan = replace(plan, notes=(*plan.notes, *notes))
    hand_made = baselines(plan.space, gate, plan.baselines)
    examples = _examples(plan, gate, data, hand_made)
    owner = contextlib.nullcontext() if dry_run else sole_owner(plan.storage, plan.study_name)
    with owner, terminable():
        plan = _with_workers(plan, examples, screen)
        with WorkerPool(plan.worker_devices, plan.threads) as pool:
            study = None if dry_run else open_study(plan, data)
            done = 0 if study is None else _count(study)
            say_first(screen, plan, data, hand_made, done)
            expected = _forecast(plan, study, pool, hand_made, examples)
            say_time(screen, plan, expected, done)
            if style == "json":
                emit(_header(plan, data, gate, hand_made, expected, done))
                for note in data.warnings:
                    emit({"event": "note", "text": note})
            if study is None:
                return EXIT_OK
            outcome, refused = _run(plan, study, data, gate, pool, hand_made, style, screen)
    return _finish(plan, study, outcome, refused, hand_made, style)


def _with_workers(plan: Plan, examples: Sequence[TrainConfig], screen: Console) -> Plan:
    if not plan.auto_workers:
        return plan
    threads_fixed = stored_settings(plan.storage, plan.study_name) is not None
    # The digits have one thread a worker, as every study of theirs.
    threads_fixed = threads_fixed or plan.data.source == "digits"
    return choose(
        plan,
        examples[:SIZED],
        threads_fixed,
        lambda text: say_labelled(screen, "workers", text),
    )


def _forecast(
    plan: Plan,
    study: optuna.Study | None,
    pool: WorkerPool,
    hand_made: Sequence[Baseline],
    examples: Sequence[TrainConfig],
) -> Forecast | None:
    trials = [] if study is None else study.get_trials(deepcopy=False)
    done = sum(trial.state in COUNTED for trial in trials)
    known = {trial.user_attrs.get(BASELINE) for trial in trials}
    first = [b.config for b in hand_made if not b.obstacle and b.name not in known]
    so_far, left = ledger(trials, plan.epochs), max(0, plan.trials - done)

    def share(place: int) -> float:
        if plan.pruner == "none":
            return 1.0
        if done >= ENOUGH:
            spent = so_far.spent.epochs
            return spent / max(1, spent + so_far.saved.epochs)
        return expected_share(plan.epochs, done + place)

    later = LATER if plan.sampler == "front" else 1.0
    crowded = plan.workers * plan.threads >= cores()
    course = Course(left, share, later, not trials, crowded)
    expected, limits = forecast(pool, first, examples, course), plan.limits
    if expected is None or limits.epochs is None:
        return expected and expected.within(limits.seconds)
    epochs_left = max(0, limits.epochs - so_far.spent.epochs)
    at_most = epochs_left / max(1, left * plan.epochs)
    return expected.within(limits.seconds, at_most, at_most / share(left))


def _run(
    plan: Plan,
    study: optuna.Study,
    data: ImageData,
    gate: Gate,
    pool: WorkerPool,
    hand_made: Sequence[Baseline],
    style: Style,
    screen: Console,
) -> tuple[Outcome, dict[str, int]]:
    refuse_unless_owned(plan.study_name, study.user_attrs.get(OWNER))
    if space_has_changed(study, plan):
        screen.print(f"note: {plan.space.path.name} has changed since this study began")
    if left := requeue_interrupted(study):
        screen.print(f"{count_of(left, 'interrupted trial')} queued again")
    enqueue(study, plan, gate, hand_made)
    seed = _sampler_seed(plan, len(study.get_trials(deepcopy=False)))
    chance = 1.0 / len(data.classes)
    hints = plan.space.hints
    # In a run of so much time, seconds are the price of a trial; else each costs one of --trials.
    power = COST_POWER if plan.limits.seconds is None else 1.0
    aim = Aim(chance, plan.min_acc)
    proposer = Proposer(plan.space.suggest, gate, plan.sampler, seed, aim, hints, power)
    limited = plan.limits.seconds is not None or plan.limits.epochs is not None
    done, rule = _count(study), WithControlArm(make_rule(plan.pruner, limited), plan.seed)
    spent = ledger(study.get_trials(deepcopy=False), plan.epochs).spent.epochs
    budget = Budget(plan.limits, plan.epochs, max(chance, plan.min_acc or 0.0), done, spent)
    budget.recall(read_ends(study))
    folder = checkpoint_folder(study)
    with reporter(style, screen, done, plan.trials) as tell:
        coordinator = Coordinator(plan, study, gate, proposer, rule, pool, budget, folder, tell)
        outcome = coordinator.run()
    return outcome, coordinator.refused


def _finish(
    plan: Plan,
    study: optuna.Study,
    outcome: Outcome,
    refused: dict[str, int],
    hand_made: Sequence[Baseline],
    style: Style,
) -> int:
    records = read_records(study, TrialState.COMPLETE)
    trials = study.get_trials(deepcopy=False)
    spent, control = ledger(trials, plan.epochs), control_arm(trials)
    if style == "json":
        emit(as_event(records, plan, outcome, refused, spent, control))
    else:
        print_summary(Console(), plan, records, hand_made, refused, spent, control)
        _say_why(outcome, plan)
    if outcome.ending == "failures":
        cause = " ".join(outcome.detail.split())
        print(f"error: five trials in a row failed; the last: {cause}", file=sys.stderr)
        return EXIT_FAILED
    if outcome.ending == "interrupted":
        again = "interrupted; the same command goes on from here"
        print(again, file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_OK


def _say_why(outcome: Outcome, plan: Plan) -> None:
    """Which limit ended the run before its trials were done."""
    why = {
        "timeout": "time is up (--timeout)",
        "epochs": f"another trial could exceed --epochs-total {plan.limits.epochs}",
        "plateau": f"the last {plan.limits.plateau} trials hardly moved the front "
        "(--until-plateau)",
    }
    if outcome.ending in why:
        print(f"ended: {why[outcome.ending]}", file=sys.stderr)


def _examples(
    plan: Plan, gate: Gate, data: ImageData, hand_made: Sequence[Baseline]
) -> list[TrainConfig]:
    """The first proposals of this run's sampler, or others like them when the study goes on.
    Raises UserError when none fits under the cap, before anything is created."""
    aim = Aim(1.0 / len(data.classes), plan.min_acc)
    seed = _sampler_seed(plan, sum(not base.obstacle for base in hand_made))
    proposer = Proposer(plan.space.suggest, gate, plan.sampler, seed, aim, plan.space.hints)
    return [proposer.propose().config for _ in range(PROBES)]


def _sampler_seed(plan: Plan, trials: int) -> int:
    """A later run of the same study, which finds other trials in it, must not repeat the draws of
    the one before."""
    return plan.seed * 1_000_003 + trials


def _count(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=COUNTED))


def _header(
    plan: Plan,
    data: ImageData,
    gate: Gate,
    hand_made: Sequence[Baseline],
    expected: Forecast | None,
    done: int,
) -> dict[str, Any]:
    return {
        "event": "study",
        "study": plan.study_name,
        "storage": plan.storage,
        "space": plan.space.name,
        "data": plan.data.model_dump(mode="json"),
        "training_images": len(data.train),
        "validation_images": len(data.val),
        "classes": len(data.classes),
        "device": plan.describe_device(),
        "epochs": plan.epochs,
        "objective": plan.objective,
        "precision": plan.precision,
        "pretrained": plan.pretrained,
        "weights_dir": plan.weights_dir,
        "without_weights": sorted(gate.without_weights),
        "max_params": plan.max_params,
        "min_acc": plan.min_acc,
        "trials": plan.trials,
        "done": done,
        "seconds": None if expected is None else round(expected.seconds, 1),
        "seconds_at_most": None if expected is None else round(expected.seconds_at_most, 1),
        "memory_bytes": None if expected is None else expected.memory_bytes,
        "baselines": {base.name: base.obstacle or "runs first" for base in hand_made},
    }
