"""A planned run from its first line on the screen to its last."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from rich.console import Console

from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.doing import Doing
from paretrain.formatting import count_of
from paretrain.interruption import interruptible
from paretrain.metric import refuse_too_few_classes
from paretrain.result.places import handed_over
from paretrain.screen import Screen
from paretrain.shell import command_line
from search.problem.baselines import load_baselines
from search.problem.refusals import refusal_words
from search.reporting.control_arm import control_arm
from search.reporting.hint_text import hint_words
from search.reporting.nothing_learned import nothing_learned
from search.reporting.prior_text import agreement_words
from search.session.budget import Budget
from search.session.coordinator import Coordinator
from search.session.engine import begun_workers
from search.session.enqueue import enqueue
from search.session.gpu_choice import choose_graphs, choose_precision
from search.session.joining import wait_for_others
from search.session.open_study import (
    admit,
    agree_with_others,
    existing_study,
    open_study,
    space_has_changed,
    store_changes,
)
from search.session.outcome import Outcome
from search.session.own_networks import own_networks, refuse_changed
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.prior import store_prior, with_prior
from search.session.progress import emit, reporter
from search.session.startup_text import say_first, say_labelled, say_time
from search.session.summary import Ending, as_event, print_summary
from search.session.time_left import expected_time
from search.session.weights import with_weights
from search.session.worker_count import choose
from search.stopping.pruners import WithControlArm, make_rule
from search.study.attributes import OWNER, REFUSED
from search.study.checked_storage import damage_of
from search.study.copies import settle
from search.study.database_file import DatabaseFile
from search.study.decisions import read_memory
from search.study.images import chance_on
from search.study.ledger import ledger
from search.study.owner import (
    at_work,
    beating,
    own_key,
    refuse_unless_owned,
    released_at_the_end,
    sole_owner,
)
from search.study.patience import patient
from search.study.records import COUNTED, read_ends, read_records
from search.study.sharing import SharedWriter
from search.study.snapshot import study_options
from search.workers.devices import gpu_uuids
from search.workers.engine import Pool
from search.workers.forecast import Forecast
from search.workers.mps import multi_process_service, shares

Style = Literal["person", "json", "quiet"]

PROBES, SIZED = 8, 3
"""Networks measured for the forecast, and for each number of workers with --workers auto."""
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


def search(plan: Plan, style: Style, dry_run: bool) -> int:
    """Carry the plan out; returns the exit code. Raises UserError before anything is created, and
    StudyAppearedError where the plan must be made anew."""
    screen = Screen(stderr=True, quiet=style != "person")
    try:
        with patient(plan.storage_wait_s, lambda text: _note(style, screen, text)):
            return _search_through(plan, style, dry_run, screen)
    except KeyboardInterrupt:  # before its first trial; later the coordinator ends it well
        goes_on = "" if dry_run else "; the same command goes on from here"
        print(f"interrupted{goes_on}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _search_through(plan: Plan, style: Style, dry_run: bool, screen: Console) -> int:
    with contextlib.ExitStack() as held:
        held.enter_context(interruptible())
        with contextlib.ExitStack() as owned:
            owned.enter_context(sole_owner(plan.storage, plan.study_name, plan.join))
            admit(plan, None)
            if not dry_run:
                held.enter_context(owned.pop_all())  # a dry run lets others begin while it measures
        saying = held.enter_context(contextlib.ExitStack())
        doing = saying.enter_context(Doing(screen, "loading images"))
        run = _prepare(plan)
        admit(run.plan, run.data.fingerprint)
        before = existing_study(plan)
        known = None if before is None else before.study
        if known is not None:
            refuse_changed(known, run.own_networks, run.plan.space)
        if known is not None and _count(known) >= plan.trials:
            if not dry_run:
                store_changes(known, run.plan)
            saying.close()
            return _say_that_nothing_is_left(run, known, style, screen)
        run = with_prior(run, known)
        doing.say("proposing first networks")
        examples = _examples(run)
        run = replace(run, plan=held.enter_context(_sharing(run.plan)))
        doing.say("measuring numbers of workers")
        run = replace(run, plan=_with_workers(run.plan, examples, screen))
        doing.say("starting workers and measuring threads")
        begun = begun_workers(run, examples[:SIZED], lambda text: _note(style, screen, text))
        with begun as (run, pool):
            run = choose_graphs(run, examples[:SIZED], pool)
            run = choose_precision(run, examples[:SIZED], pool)
            examples = [run.plan.complete(config) for config in examples]
            study = known if dry_run else open_study(run.plan, run.data, before)
            owned_study = None if dry_run else study
            with released_at_the_end(owned_study), contextlib.ExitStack() as beats:
                if owned_study is not None:
                    beats.enter_context(beating(owned_study))
                    store_prior(owned_study, run)
                file = DatabaseFile(plan.storage)
                done = 0 if study is None else _count(study)
                say_first(screen, run, done)
                expected = expected_time(
                    run,
                    study,
                    pool,
                    examples,
                    lambda n, of: doing.say(f"measuring network {n} of {of}"),
                )
                run = run.with_costs_of(() if expected is None else expected.epochs)
                saying.close()
                say_time(screen, run.plan, expected, done)
                if style == "json":
                    _emit_first(run, expected, done)
                if dry_run or study is None:
                    return EXIT_OK
                outcome, refused = _search(run, study, pool, style, screen, file, beats)
    return _finish(run, study, outcome, refused, style)


@contextlib.contextmanager
def _sharing(plan: Plan) -> Iterator[Plan]:
    """The plan, with MPS where it was asked for and workers may share a GPU."""
    if not plan.mps:
        yield plan
    elif not plan.auto_workers and not shares(plan.worker_devices):
        yield replace(plan, notes=(*plan.notes, "no MPS: no two workers have the same GPU"))
    else:
        with multi_process_service(gpu_uuids) as sharing:
            notes = (*plan.notes, sharing.words)
            yield replace(plan, sharing=sharing.environment, notes=notes)


def _say_that_nothing_is_left(
    run: PreparedRun, study: optuna.Study, style: Style, screen: Console
) -> int:
    """The study has all its trials: nothing is measured or added."""
    done = _count(study)
    say_first(screen, run, done)
    if style == "json":
        _emit_first(run, None, done)
    _note(
        style,
        screen,
        f"nothing to do: the study has its {count_of(run.plan.trials, 'trial')}; more --trials "
        "go on with it",
    )
    return _finish(run, study, Outcome("done"), dict(study.user_attrs.get(REFUSED, {})), style)


def _emit_first(run: PreparedRun, expected: Forecast | None, done: int) -> None:
    emit(_header(run, expected, done))
    for note in run.data.warnings:
        emit({"event": "note", "text": note})


def _prepare(plan: Plan) -> PreparedRun:
    """Data, limits and baselines. Raises UserError when images or weights cannot be had."""
    data = load_data(plan.data)
    try:
        refuse_too_few_classes(plan.metric, len(data.classes))
    except ValueError as error:
        raise UserError(f"--metric {plan.metric}: {error}") from None
    constraints = plan.constraints(data)
    baselines = load_baselines(plan.space, constraints, plan.baselines)
    own = own_networks(plan.space, constraints, [base.config for base in baselines])
    constraints, notes = with_weights(plan, constraints, [base.config for base in baselines])
    plan = replace(plan, notes=(*plan.notes, *notes))
    if notes:  # some networks have no weights
        baselines = load_baselines(plan.space, constraints, plan.baselines)
    return PreparedRun(plan, data, constraints, tuple(baselines), tuple(own))


def _examples(run: PreparedRun) -> list[TrainConfig]:
    """The first proposals of this run's sampler, or others like them when the study goes on.
    Raises UserError when none keeps the limits, before anything is created. There are fewer than
    PROBES where the space has no more."""
    proposer = run.proposer(sum(not base.obstacle for base in run.baselines))
    examples: list[TrainConfig] = []
    while len(examples) < PROBES:
        try:
            examples.append(proposer.propose().config)
        except UserError:
            if not examples:
                raise
            break
    return examples


def _with_workers(plan: Plan, examples: Sequence[TrainConfig], screen: Console) -> Plan:
    if plan.engine != "local":
        return plan
    if not plan.auto_workers:
        if plan.objective != "latency" or not shares(plan.worker_devices):
            return plan
        note = "latencies contain what others do on the same GPU: --workers auto has one on each"
        return replace(plan, notes=(*plan.notes, note))
    return choose(
        plan,
        examples[:SIZED],
        plan.threads_fixed,
        lambda text: say_labelled(screen, "workers", text),
    )


def _search(
    run: PreparedRun,
    study: optuna.Study,
    pool: Pool,
    style: Style,
    screen: Console,
    file: DatabaseFile,
    beats: contextlib.ExitStack,
) -> tuple[Outcome, dict[str, int]]:
    plan = run.plan
    attrs = study.user_attrs
    refuse_unless_owned(plan.study_name, attrs)
    writer = SharedWriter(study, {}, owned=True)
    if plan.checkpoints is not None:
        for line in writer.keep_checkpoints_in(plan.checkpoints):
            _note(style, screen, line)
    first = own_key(attrs) == OWNER
    if not first:
        first = wait_for_others(writer, lambda text: _note(style, screen, text))
        agree_with_others(study, plan, first)
    for line in damage_of(study):
        _note(style, screen, line)
    if space_has_changed(study, plan):
        screen.print(f"note: {plan.space.path.name} has changed since this study began")
    if first:
        for line in writer.take_back():
            _note(style, screen, line)
        for line in [*settle(study, plan.storage, writer), *enqueue(study, run, writer)]:
            _note(style, screen, line)
    # Read once: what others do from now on is heard of as news, and counts once.
    trials = study.get_trials(deepcopy=False)
    done = sum(trial.state in COUNTED for trial in trials)
    limited = plan.limits.seconds is not None or plan.limits.epochs is not None
    recalled = read_memory(trials, plan.min_acc)
    informed = run.prior is not None
    rule = WithControlArm(make_rule(plan.pruner, limited, recalled, informed), plan.seed)
    spent = ledger(trials, plan.epochs).spent.epochs
    reference_point = max(run.target.chance, plan.min_acc or 0.0)
    budget = Budget(plan.limits, plan.epochs, reference_point, done, spent)
    budget.recall(read_ends(trials))
    with reporter(style, screen, done, plan.trials) as tell:
        coordinator = Coordinator(run, study, trials, rule, budget, pool, tell, file)
        beats.close()  # its writer does that now
        outcome = coordinator.run()
    return outcome, coordinator.refused


def _note(style: Style, screen: Console, text: str) -> None:
    if style == "json":
        emit({"event": "note", "text": text})
    else:
        screen.print(f"note: {text}", markup=False, highlight=False)


def _finish(
    run: PreparedRun, study: optuna.Study, outcome: Outcome, refused: dict[str, int], style: Style
) -> int:
    trials = study.get_trials(deepcopy=False)
    ending = Ending(
        read_records(study, TrialState.COMPLETE),
        outcome,
        refused,
        ledger(trials, run.plan.epochs, searching=bool(at_work(study.user_attrs))),
        control_arm(trials),
        chance_on(run.data, run.plan.metric),
        nothing_learned(study),
        agreement_words(study.user_attrs),
        hint_words(study.user_attrs),
    )
    if style == "json":
        emit(as_event(run.plan, ending))
    else:
        print_summary(Screen(), run, ending)
        _say_why(outcome, run.plan)
    if outcome.ending == "failures":
        cause = " ".join(outcome.detail.split())
        last = max(trial.number for trial in trials if trial.state == TrialState.FAIL)
        option = study_options(run.plan.storage, run.plan.study_name)
        shows = command_line("search.explain", *option, "--trial", last)
        print(
            f"error: five trials in a row failed; the last: {cause}; its traceback: {shows}",
            file=sys.stderr,
        )
        return EXIT_FAILED
    if outcome.ending == "interrupted":
        print("interrupted; the same command goes on from here", file=sys.stderr)
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


def _count(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=COUNTED))


def _to_pass_on(data: DataConfig) -> dict[str, Any]:
    images = None if data.images is None else handed_over(data.images)
    places = {"source": handed_over(data.source), "images": images}
    return data.model_dump(mode="json") | places


def _header(run: PreparedRun, expected: Forecast | None, done: int) -> dict[str, Any]:
    plan, data = run.plan, run.data
    return {
        "event": "study",
        "study": plan.study_name,
        "storage": str(plan.storage.handed_over()),
        "space": plan.space.name,
        "data": _to_pass_on(plan.data),
        "training_images": len(data.train),
        "validation_images": len(data.val),
        "classes": len(data.classes),
        "device": plan.describe_device(),
        "epochs": plan.epochs,
        "objective": plan.objective,
        "metric": plan.metric,
        "precision": plan.precision,
        "cuda_graphs": plan.cuda_graphs,
        "pretrained": plan.pretrained,
        "without_weights": sorted(run.constraints.without_weights),
        **plan.settings(),
        "trials": plan.trials,
        "done": done,
        "seconds": None if expected is None else round(expected.seconds, 1),
        "seconds_at_most": None if expected is None else round(expected.seconds_at_most, 1),
        "memory_bytes": None if expected is None else expected.memory_bytes,
        "baselines": {
            base.name: refusal_words(base.obstacle) or "runs first" for base in run.baselines
        },
    }
