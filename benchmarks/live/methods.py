"""The methods that are compared, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

from benchmarks.live.our_run import run_ours
from benchmarks.live.peer_run import run_peer
from benchmarks.live.peers import MoAsha, Optuna, OptunaHub, Peer
from benchmarks.live.records import Run
from benchmarks.live.settings import Settings
from benchmarks.replay.rivals import Unavailable
from search.problem.optuna_internals import quiet_optuna
from search.session.plan import Plan

OURS = {"ours": True, "ours-no-hints": False}
"""Our methods, and whether they have the space's HINTS, which peers do not have."""


@dataclass(frozen=True)
class Method:
    """How a method is made, and what the table says about it."""

    make: Callable[[Plan, Path | None], Peer] | None
    """Makes a fresh peer; None for a search of ours. Raises Unavailable without its package."""
    words: str


METHODS: dict[str, Method] = {
    "ours": Method(None, "`search.run` with its default sampler and rule, and the space's HINTS"),
    "ours-no-hints": Method(None, "the same without HINTS, which no other method has"),
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
    plan = settings.plan(seed, at, hints=OURS.get(name, False))
    make = METHODS[name].make
    return run_ours(plan, name) if make is None else run_peer(make(plan, registry), name, plan)


def available(
    names: Sequence[str], settings: Settings, registry: Path | None
) -> tuple[list[str], dict[str, str]]:
    """Return the methods whose code is there, and why each other one is left out."""
    there, left_out = [], {}
    plan = settings.plan(0, Path())
    for name in names:
        make = METHODS[name].make
        try:
            if make is not None:
                make(plan, registry)
        except Unavailable as why:
            left_out[name] = str(why)
        else:
            there.append(name)
    return there, left_out
