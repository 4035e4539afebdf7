"""What a proposal takes in a study of many trials, and that it is no worse for it."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from paretrain.config import AdamConfig, TrainConfig
from paretrain.network_config import AlexNetConfig
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.space import load_space
from search.problem.target import Target
from search.sampling import samplers, surrogate
from search.sampling.proposer import Proposer
from search.sampling.samplers import ShadowStudy, optuna_sampler
from search.sampling.surrogate import AccuracyModel
from tests.search.sampling.test_proposer import constraints, play

SPACE = load_space("vgg_reduce")


@pytest.fixture
def soon_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study is long from 13 trials on, and TPE is given 15 to 25."""
    monkeypatch.setattr(surrogate, "LONG", 12)
    monkeypatch.setattr(surrogate, "GROWN", 1.3)
    monkeypatch.setattr(surrogate, "MOST_FITTED", 14)
    monkeypatch.setattr(samplers, "MOST_KNOWN", 25)
    monkeypatch.setattr(samplers, "KEPT", 15)


def counted(monkeypatch: pytest.MonkeyPatch, of: type, method: str) -> list[None]:
    """One entry for each call."""
    calls: list[None] = []
    original: Callable[..., Any] = getattr(of, method)

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        return original(*arguments, **named)

    monkeypatch.setattr(of, method, call)
    return calls


@pytest.mark.usefixtures("soon_long")
def test_a_long_study_fits_its_model_when_it_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=Target(chance=0.1))
    play(proposer, 13)
    fits = counted(monkeypatch, AccuracyModel, "__init__")
    asks = counted(monkeypatch, ShadowStudy, "ask")
    later = play(proposer, 12)
    assert len(fits) == 2, "at 16 and 21 trials, and not 12 times"
    assert len(asks) == 9, "one in each of three proposals out of four"
    assert len({config.model_dump_json() for config in later}) == 12


def seen_by_the_sampler(shadow: ShadowStudy) -> list[FrozenTrial]:
    """The trials that there are when it is asked."""
    seen: list[FrozenTrial] = []

    def suggest(trial: Trial) -> TrainConfig:
        seen.extend(trial.study.get_trials(deepcopy=False)[:-1])
        return TrainConfig(network=AlexNetConfig(), optimizer=AdamConfig(kind="adam", lr=1e-3))

    shadow.drop(shadow.ask(suggest)[0])
    return seen


def test_a_shadow_study_is_asked_and_told_as_optunas_own() -> None:
    config = TrainConfig(network=AlexNetConfig(), optimizer=AdamConfig(kind="adam", lr=1e-3))
    asked: tuple[list[Any], list[Any]] = [], []

    def suggest(trial: Trial) -> TrainConfig:
        trial.suggest_float("x", 0, 1)
        if trial.suggest_categorical("more", [True, False]):
            trial.suggest_int("y", 1, 99, log=True)
        return config

    def told(n: int) -> tuple[float, int]:
        return (n * 7 % 10) / 10, 10 + n * 3 % 7

    shadow, plain = ShadowStudy("tpe", 1), optuna.create_study(directions=DIRECTIONS)
    with quiet_optuna():
        plain.sampler = optuna_sampler("tpe", 1)
    space = {"x": FloatDistribution(0, 1), "more": CategoricalDistribution((True, False))}
    for n in range(12):  # of an earlier run
        params = {"x": n / 12, "more": False}
        shadow.tell(shadow.add(params, space), *told(n))
        plain.add_trial(create_trial(params=params, distributions=space, values=told(n)))
    for n in range(20):
        number, trial, _ = shadow.ask(suggest)
        asked[0].append(trial.params)
        shadow.drop(number) if n % 5 == 2 else shadow.tell(number, *told(n))
        own = plain.ask()
        suggest(own)
        asked[1].append(own.params)
        plain.tell(own, **({"state": TrialState.FAIL} if n % 5 == 2 else {"values": told(n)}))
    assert asked[0] == asked[1]


@pytest.mark.usefixtures("soon_long")
def test_a_shadow_study_forgets_all_but_the_front_and_the_latest() -> None:
    shadow = ShadowStudy("front", seed=0)
    space = {"x": FloatDistribution(0.0, 1.0)}
    open_ = shadow.add({"x": 0.5}, space)
    for n in range(60):
        number = shadow.add({"x": n / 60}, space)
        best = n == 3  # of all, and the smallest
        shadow.tell(number, 0.9 if best else 0.1 + n / 1000, 10 if best else 1000 + n)
    known = seen_by_the_sampler(shadow)
    ended = [trial for trial in known if trial.values is not None]
    assert 15 <= len(ended) <= 25 + 1
    assert [0.9, 10.0] in [trial.values for trial in ended], "the front stays"
    assert ended[-1].params == {"x": 59 / 60}
    shadow.tell(open_, 0.4, 500)  # its number is still its own
    last = [t for t in seen_by_the_sampler(shadow) if t.values == [0.4, 500.0]]
    assert [trial.params for trial in last] == [{"x": 0.5}]


def test_a_study_that_is_not_long_fits_its_model_for_every_proposal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=Target(chance=0.1))
    play(proposer, 9)
    fits = counted(monkeypatch, AccuracyModel, "__init__")
    play(proposer, 2)
    assert len(fits) == 2
