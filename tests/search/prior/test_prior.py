"""What a search learns from earlier studies."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.prior import shipped, stored
from search.prior.choice import gather
from search.prior.stored import from_attributes, to_attributes
from search.problem.past_study import PastStudy, PastTrial
from search.problem.space import load_space
from search.problem.target import Target
from search.sampling.candidates import Candidate, Source
from search.sampling.prior_accuracy import (
    GUESS,
    PriorAccuracy,
    agreement,
    normal_scores,
    still_fits,
    trust,
)
from search.sampling.proposer import LEAST_TRUST, RANDOM_START, Proposer
from search.sampling.surrogate import Features, Observation
from search.study import attributes as attr
from search.study.storage_url import StorageUrl
from tests.harness import NAME, SMALL, RunMain, study
from tests.search.sampling.test_proposer import constraints

VGG = load_space("vgg_reduce")
TABLES = [f"table {data}" for data in ("cifar10_20_epochs", "clothing10", "digits")]
HERE = StorageUrl.of("studies.db")


def one_lr(trial: Any) -> TrainConfig:
    stage = VGGStage(width=trial.suggest_int("width", 1, 60), kernels=("3x3",))
    lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=lr))


def past(accuracy: Callable[[float], float], name: str = "p", at_random: bool = True) -> PastStudy:
    """Forty trials, whose accuracy follows from the learning rate's place in its range."""
    trials = []
    for i in range(40):
        other = i * 7 % 40  # width and size have nothing to do with it
        params = {"width": 1 + other, "lr": 10 ** (-4 + 4 * i / 39)}
        trials.append(PastTrial(params, 100 + other, accuracy(i / 39)))
    return PastStudy(name, trials, at_random)


def scored(prior: PriorAccuracy, lr: float) -> float:
    known = still_fits(PastTrial({"width": 9, "lr": lr}, 120, 0.5), one_lr)
    assert known is not None
    return float(prior.scores([known])[0])


def test_scores_are_by_rank_so_that_hard_and_easy_images_teach_the_same() -> None:
    assert list(normal_scores([0.1, 0.1, 0.4, 0.9])) == pytest.approx(
        [-0.63, -0.63, 0.30, 1.05], abs=0.02
    )
    easy, hard = past(lambda place: 0.5 + 0.5 * place), past(lambda place: 0.1 + 0.01 * place**3)
    alone, both = PriorAccuracy([easy], one_lr), PriorAccuracy([easy, hard], one_lr)
    assert both.trials == 80
    for prior in (alone, both):
        assert scored(prior, 1e-4) < -1 < scored(prior, 0.01) < 1 < scored(prior, 0.9)
    assert both.best[0]["lr"] > 0.5


def test_a_search_whose_trials_are_all_good_teaches_that_they_are() -> None:
    """Within it the middle one is only the middle one of the good."""
    random = past(lambda place: place)
    good = PastStudy("s", [t for t in random.trials if t.params["lr"] > 0.1], at_random=False)
    plain = PriorAccuracy([random, replace(good, at_random=True)], one_lr)
    moved = PriorAccuracy([random, good], one_lr)
    assert scored(moved, 0.2) > scored(plain, 0.2) + 0.1
    assert scored(moved, 1e-3) == pytest.approx(scored(plain, 1e-3), abs=0.2)


def test_a_space_that_has_changed_keeps_what_still_fits() -> None:
    trial = PastTrial({"width": 9, "lr": 2.0, "gone": 1}, 120, 0.5)
    known = still_fits(trial, one_lr)
    assert known is not None and dict(known.params) == {"width": 9}
    assert still_fits(replace(trial, params={"width": 99, "lr": 2.0}), one_lr) is None
    strange = PastStudy("x", [replace(trial, params={"other": 1})] * 20, at_random=True)
    with pytest.raises(ValueError, match="too few"):
        PriorAccuracy([strange], one_lr)
    assert PriorAccuracy([strange, past(lambda place: place)], one_lr).trials == 40


def seen(*pairs: tuple[float, float]) -> list[Observation]:
    return [Observation(Features({}, {}, (1,), prior=p), acc) for p, acc in pairs]


def test_trust_falls_as_trials_contradict_the_prior() -> None:
    assert agreement(seen((0, 0.1), (1, 0.2))) is None and trust([]) == GUESS
    agreeing = seen(*((i / 9, i / 10) for i in range(10)))
    contradicting = seen(*((i / 9, 1 - i / 10) for i in range(10)))
    assert agreement(agreeing) == pytest.approx(1)
    assert agreement(contradicting) == pytest.approx(-1)
    assert trust(agreeing) > GUESS > trust(contradicting[:3]) > trust(contradicting[:4])
    assert trust(contradicting[:5]) < LEAST_TRUST and trust(contradicting) == 0
    assert agreement(seen((0, 0.5), (0, 0.5), (0, 0.5))) == 0


@pytest.mark.parametrize("right", [True, False])
def test_later_looks_elsewhere_begin_from_the_best_of_a_prior_that_is_believed(
    right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = PriorAccuracy([past(lambda place: place if right else 1 - place)], one_lr)
    parents: list[Any] = []
    batch = Source.batch

    def noted(source: Source, parent: Any = None) -> list[Candidate]:
        parents.append(parent)
        return batch(source, parent)

    monkeypatch.setattr(Source, "batch", noted)
    proposer = Proposer(one_lr, constraints(None), "front", 1, Target(chance=0.1), prior=prior)
    for _ in range(RANDOM_START):
        proposal = proposer.propose()
        accuracy = 0.2 + proposal.params["lr"] / 2
        proposer.learn(proposal.shadow, accuracy, finished=True)
    parents.clear()
    proposer.propose()
    assert any(parent in prior.best for parent in parents) == right


def proposed(prior: PriorAccuracy | None, accuracy: Callable[[float], float]) -> list[float]:
    """Learning rates of the proposals of a search of 16 trials, whose accuracies follow from it."""
    target = Target(chance=0.1)
    proposer = Proposer(one_lr, constraints(None), "front", 1, target, prior=prior)
    rates = []
    for _ in range(16):
        proposal = proposer.propose()
        assert (proposal.prior is None) == (prior is None)
        rates.append(proposal.params["lr"])
        proposer.learn(proposal.shadow, accuracy(rates[-1]), finished=True)
    return rates


def test_shares_are_of_what_the_best_network_has_above_the_worst() -> None:
    studies = [past(lambda place: 0.5 + 0.5 * place), past(lambda place: 0.1 + 0.01 * place)]
    known = [
        still_fits(PastTrial({"width": 9, "lr": lr}, 120, 0), one_lr) for lr in (1e-4, 1e-2, 1)
    ]
    mean, deviation = PriorAccuracy(studies, one_lr).shares([k for k in known if k is not None])
    assert list(mean) == pytest.approx([0.05, 0.5, 0.95], abs=0.1)
    assert all(0.1 <= sd < 0.3 for sd in deviation)


def test_the_first_proposals_are_what_earlier_studies_found_good() -> None:
    rates = proposed(PriorAccuracy([past(lambda place: place)], one_lr), lambda lr: 0.2 + lr / 2)
    informed = sorted(rate for number, rate in enumerate(rates[:8]) if number % 4 != 3)
    uninformed = sorted(proposed(None, lambda lr: 0.2 + lr / 2)[:6])
    assert informed[0] > 0.03 > uninformed[1]


def test_a_prior_that_is_wrong_is_left_within_a_few_trials() -> None:
    prior = PriorAccuracy([past(lambda place: 1 - place)], one_lr)
    rates = proposed(prior, lambda lr: 0.2 + lr / 2)
    assert max(rates[:3]) < 0.01  # it believes that small ones are good ...
    assert sum(rate > 0.1 for rate in rates[8:]) >= 6  # ... and finds out


def test_a_prior_is_stored_with_the_study_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PIECE", 500)
    studies = (past(lambda place: place), past(lambda place: 1 - place, "q", at_random=False))
    attributes = to_attributes("auto", studies)
    assert list(attributes)[-1] == attr.PRIOR and attributes[attr.PRIOR]["pieces"] > 1
    assert all(len(value) <= 500 for name, value in attributes.items() if name != attr.PRIOR)
    assert from_attributes(attributes) == studies
    assert from_attributes({}) is None
    for damaged in ({"prior:0": "a"}, {"prior:0": 3}, {"prior:1": None}):
        with pytest.raises(ValueError, match="cannot be read"):
            from_attributes({**attributes, **damaged})


def test_what_a_search_learns_from(searched: Path, here: Path) -> None:
    shutil.copy(searched, "other.db")
    auto = gather("auto", VGG, True, HERE, NAME)
    assert [s.name for s in auto] == TABLES
    assert gather("none", VGG, True, HERE, NAME) == ()
    named = gather("other.db", VGG, True, HERE, NAME)
    assert [s.name for s in named] == [*(s.name for s in auto), f"study {NAME}"]
    assert len(named[-1].trials) == 5 and not named[-1].at_random
    assert gather(f"other.db::{NAME}", VGG, True, HERE, NAME) == named[-1:]
    other = StorageUrl.of("other.db")
    assert gather("auto", VGG, True, other, "new") == named
    assert gather("auto", VGG, True, other, NAME) == auto  # a study does not learn from itself
    assert gather("auto", VGG, False, other, "new") == auto  # nor from one with other weights
    own = replace(VGG, path=here / "vgg_reduce.py")
    assert gather("auto", own, True, HERE, NAME) == ()


@pytest.mark.parametrize(
    ("prior", "space", "what"),
    [
        ("gone.db", "vgg_reduce", "there is no such database"),
        ("other.db", "resnet9", "no study of the space resnet9"),
        (f"other.db::{NAME}", "resnet9", "is of the space vgg_reduce"),
        ("other.db::gone", "vgg_reduce", "no study 'gone'"),
        ("gone.db::gone", "vgg_reduce", "no database gone.db"),
    ],
)
def test_a_prior_that_is_not_there_is_refused_in_one_line(
    searched: Path, here: Path, prior: str, space: str, what: str
) -> None:
    shutil.copy(searched, "other.db")
    with pytest.raises(UserError, match=what) as caught:
        gather(prior, load_space(space), True, HERE, "new")
    assert "\n" not in str(caught.value)


def test_a_study_goes_on_with_the_prior_that_it_began_with(
    search: RunMain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = ("--baselines", "none", *SMALL)
    first = search("--trials", 2, "--prior", "auto", *few)
    assert first.code == 0 and "table digits (" in first.err
    kept = from_attributes(study().user_attrs)
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "nowhere")
    second = search("--trials", 4)
    assert second.code == 0 and "table digits (" in second.err
    assert "--prior auto" in second.err  # as the study has it
    assert from_attributes(study().user_attrs) == kept
    assert all(attr.PRIOR_SCORE in trial.user_attrs for trial in study().trials)
    assert study().user_attrs[attr.PRIOR_AGREEMENT]["trials"] == 4
    assert study().user_attrs[attr.HINT_TRUST]["trials"] == 4
    assert "rank correlation" in second.out
    without = search("--trials", 5, "--prior", "none")
    assert without.code == 0 and "table digits" not in without.err
    assert attr.PRIOR_SCORE not in study().trials[-1].user_attrs


def test_wrong_words_for_a_prior_are_refused(search: RunMain) -> None:
    for word, what in (("x.db::", "give auto"), ("postgresql://a:b@c/d", "takes no password")):
        result = search("--prior", word)
        assert result.code == 2 and what in result.err and result.err.count("\n") == 1
    assert not Path("studies.db").exists()
