"""The methods that are compared, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

from benchmarks.live.neps_peers import Neps
from benchmarks.live.our_run import run_ours
from benchmarks.live.pausing_run import run_pausing
from benchmarks.live.peer_run import run_peer
from benchmarks.live.peers import MoAsha, Optuna, OptunaHub, Peer
from benchmarks.live.records import Run
from benchmarks.live.settings import Settings
from benchmarks.live.transfer_peers import bounding_box, quantile_based
from benchmarks.replay.rivals import Unavailable
from search.problem.optuna_internals import quiet_optuna
from search.session.plan import Plan


@dataclass(frozen=True)
class Knowledge:
    """What a method of ours knows before it begins."""

    hints: bool
    """The space's HINTS."""
    prior: bool = False
    """The program's tables of the space, without those of the images that are searched."""


OURS = {
    "ours": Knowledge(hints=True),
    "ours-no-hints": Knowledge(hints=False),
    "ours-prior": Knowledge(hints=True, prior=True),
    "ours-prior-no-hints": Knowledge(hints=False, prior=True),
}
"""Our methods."""


@dataclass(frozen=True)
class Method:
    """How a method is made, and what the table says about it."""

    make: Callable[[Plan, Path | None], Peer | Neps] | None
    """Makes a fresh peer; None for a search of ours. Raises Unavailable without its package."""
    words: str
    hints: bool = False
    """Whether a peer is given the space's HINTS."""


METHODS: dict[str, Method] = {
    "ours": Method(None, "`search.run` with its default sampler and rule, and the space's HINTS"),
    "ours-no-hints": Method(None, "the same without HINTS, which Optuna's methods do not have"),
    "optuna-tpe": Method(
        lambda plan, _: Optuna(plan.space.suggest, TPESampler(seed=plan.seed)),
        "Optuna's TPESampler with its defaults; two objectives, so nothing is stopped",
    ),
    "optuna-nsga2": Method(
        lambda plan, _: Optuna(plan.space.suggest, NSGAIISampler(seed=plan.seed)),
        "Optuna's NSGAIISampler with its defaults (population 50: random up to there)",
    ),
    "optunahub": Method(
        lambda plan, registry: OptunaHub(plan.space.suggest, TPESampler(seed=plan.seed), registry),
        "OptunaHub's multi_metric_pruner (joint, MedianPruner) on TPESampler",
    ),
    "mo-asha": Method(
        lambda plan, _: MoAsha(plan.space.suggest, plan.epochs, plan.seed),
        "Syne Tune's MOASHA with its defaults and its random draws, given ranks",
    ),
    "random": Method(
        lambda plan, _: Optuna(plan.space.suggest, RandomSampler(seed=plan.seed)),
        "Optuna's RandomSampler, nothing is stopped",
    ),
    "optuna-tpe-group": Method(
        lambda plan, _: Optuna(plan.space.suggest, _group_tpe(plan.seed)),
        "TPESampler(multivariate=True, group=True), which Optuna's docs name for such spaces",
    ),
    "ours-prior-no-hints": Method(
        None, "without HINTS, but with `--prior`: the program's tables of the other data sets"
    ),
    "ours-prior": Method(None, "the same with HINTS"),
    "primo": Method(
        lambda plan, _: Neps(plan, "primo"),
        "NePS's PriMO: 5 trainings' epochs of MO-ASHA, then a model; HINTS as its priors",
        hints=True,
    ),
    "priorband": Method(
        lambda plan, _: Neps(plan, "priorband"),
        "NePS's PriorBand with its defaults, for accuracy alone; HINTS as its priors",
        hints=True,
    ),
    "syne-tune-box": Method(
        lambda plan, _: bounding_box(plan),
        "MOASHA in Syne Tune's BoundingBox of the 10 best networks of each table of our prior",
    ),
    "syne-tune-quantile": Method(
        lambda plan, _: quantile_based(plan),
        "Syne Tune's quantile-based transfer from those tables, for accuracy alone",
    ),
    "mo-asha-as-is": Method(
        lambda plan, _: MoAsha(plan.space.suggest, plan.epochs, plan.seed, as_is=True),
        "MOASHA with the priority that Syne Tune 0.16 has",
    ),
}
DEFAULT = tuple(METHODS)[:7]
"""Default of `--methods`."""


def _group_tpe(seed: int) -> TPESampler:
    with quiet_optuna():
        return TPESampler(multivariate=True, group=True, seed=seed)


def run_method(name: str, seed: int, settings: Settings, registry: Path | None, at: Path) -> Run:
    """Run one search, with its database in the folder `at`. Raises Unavailable or UserError."""
    make = METHODS[name].make
    if make is None:
        knows = OURS[name]
        plan = settings.plan(seed, at, knows.hints, "auto" if knows.prior else "none")
        return run_ours(plan, name)
    plan = settings.plan(seed, at, METHODS[name].hints)
    peer = make(plan, registry)
    return run_pausing(peer, name, plan) if isinstance(peer, Neps) else run_peer(peer, name, plan)


def available(
    names: Sequence[str], settings: Settings, registry: Path | None
) -> tuple[list[str], dict[str, str]]:
    """Return the methods whose code is there, and why each other one is left out."""
    there, left_out = [], {}
    for name in names:
        make = METHODS[name].make
        try:
            if make is not None:
                make(settings.plan(0, Path(), METHODS[name].hints), registry)
        except Unavailable as why:
            left_out[name] = str(why)
        else:
            there.append(name)
    return there, left_out
