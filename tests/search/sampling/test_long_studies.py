"""What a proposal takes in a study of many trials, and that it is no worse for it."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna.distributions import FloatDistribution

from search.problem.space import load_space
from search.problem.target import Target
from search.sampling import samplers, surrogate
from search.sampling.proposer import Proposer
from search.sampling.samplers import ShadowStudy
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


@pytest.mark.usefixtures("soon_long")
def test_a_shadow_study_forgets_all_but_the_front_and_the_latest() -> None:
    shadow = ShadowStudy("front", seed=0)
    space = {"x": FloatDistribution(0.0, 1.0)}
    open_ = shadow.add({"x": 0.5}, space)
    for n in range(60):
        number = shadow.add({"x": n / 60}, space)
        best = n == 3  # of all, and the smallest
        shadow.tell(number, 0.9 if best else 0.1 + n / 1000, 10 if best else 1000 + n)
    known = shadow._study.get_trials(deepcopy=False)
    ended = [trial for trial in known if trial.values is not None]
    assert 15 <= len(ended) <= 25 + 1
    assert [0.9, 10.0] in [trial.values for trial in ended], "the front stays"
    assert ended[-1].params == {"x": 59 / 60}
    shadow.tell(open_, 0.4, 500)  # its number is still its own
    last = [t for t in shadow._study.get_trials(deepcopy=False) if t.values == [0.4, 500.0]]
    assert [trial.params for trial in last] == [{"x": 0.5}]


def test_a_study_that_is_not_long_fits_its_model_for_every_proposal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=Target(chance=0.1))
    play(proposer, 9)
    fits = counted(monkeypatch, AccuracyModel, "__init__")
    play(proposer, 2)
    assert len(fits) == 2
