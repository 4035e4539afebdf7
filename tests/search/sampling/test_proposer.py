"""What is proposed, for each sampler."""

import math
import random
from dataclasses import replace
from typing import Any, cast

import pytest

from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.problem.canonical import canonical_key
from search.problem.constraints import Constraints
from search.problem.optuna_internals import quiet_optuna
from search.problem.random_trial import RandomTrial
from search.problem.refusals import OVER_MAX_PARAMS, UNBUILDABLE
from search.problem.space import load_space
from search.problem.target import Target
from search.sampling.background import BackgroundProposer, EndedTrial
from search.sampling.candidates import DUPLICATE
from search.sampling.proposer import Proposer
from search.sampling.samplers import SAMPLERS, SamplerName, optuna_sampler

SPACE = load_space("vgg_reduce")
TARGET = Target(chance=0.1)
GP_IS_SLOW = [
    pytest.param(name, marks=pytest.mark.slow if name == "gp" else ()) for name in SAMPLERS
]


def constraints(max_params: int | None = 50_000, image_size: int = 32) -> Constraints:
    def complete(config: TrainConfig) -> TrainConfig:
        data = config.data.model_copy(update={"image_size": image_size})
        return config.model_copy(update={"data": data})

    return Constraints(complete, num_classes=10, max_params=max_params)


def one_width(trial: Any) -> TrainConfig:
    stage = VGGStage(width=trial.suggest_int("width", 1, 6), kernels=("3x3",))
    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))


def vgg(config: TrainConfig) -> VGGConfig:
    assert isinstance(config.network, VGGConfig)
    return config.network


def quality(config: TrainConfig) -> float:
    """A stand-in for a final accuracy: BatchNorm and a learning rate near 0.003 are good."""
    lr = 0.02 if config.optimizer.kind == "sgd" else config.optimizer.lr
    return 0.2 + (0.5 if vgg(config).norm == "batch" else 0.0) + 10 * min(lr, 0.003)


def play(proposer: Proposer, trials: int) -> list[TrainConfig]:
    played = []
    for _ in range(trials):
        proposal = proposer.propose()
        acc = quality(proposal.config)
        proposer.learn(proposal.shadow, acc, True)
        played.append(proposal.config)
    return played


@pytest.mark.parametrize("sampler", GP_IS_SLOW)
def test_proposals_keep_the_limit_and_do_not_repeat(sampler: SamplerName) -> None:
    proposer = Proposer(SPACE.suggest, constraints(), sampler, seed=1, target=TARGET)
    configs = play(proposer, 14)
    assert len({config.model_dump_json() for config in configs}) == 14
    sizes = [constraints().size(config) for config in configs]
    assert all(size is not None and size <= 50_000 for size in sizes)
    assert proposer.refused[OVER_MAX_PARAMS] > 0


@pytest.mark.parametrize("sampler", GP_IS_SLOW)
def test_the_same_seed_proposes_the_same(sampler: SamplerName) -> None:
    def run(seed: int) -> list[TrainConfig]:
        return play(Proposer(SPACE.suggest, constraints(), sampler, seed, TARGET), 12)

    first = run(3)
    assert run(3) == first != run(4)


def test_the_front_sampler_learns_what_is_good() -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=TARGET)
    play(proposer, 20)
    later = play(proposer, 12)
    share = sum(vgg(config).norm == "batch" for config in later) / len(later)
    assert share > 0.6  # a third by chance, and every fourth proposal is a random one


def test_the_front_sampler_spreads_its_sizes() -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=TARGET)
    sizes = sorted(constraints().size(config) or 0 for config in play(proposer, 30))
    assert sizes[-5] > 4 * sizes[4]


def first_sizes(learns: str, count: int = 7, hints: dict[str, Any] | None = None) -> list[int]:
    """Sizes of the first `count` proposals beside twenty baselines, of which the large or the small
    ones end at 95 %, and the others at chance."""
    sizes = []
    for seed in range(5):
        proposer = Proposer(SPACE.suggest, constraints(), "front", seed, TARGET, hints)
        for exponent in range(20):
            size = round(1000 * 1.2**exponent)
            shadow = proposer.know(one_width(RandomTrial(random.Random(exponent))), size, {}, {})
            proposer.learn(shadow, 0.95 if (size > 5000) == (learns == "large") else 0.1, True)
        sizes += [proposer.propose().size for _ in range(count)]
    return sizes


def test_without_hints_the_first_proposals_go_to_sizes_that_have_something_to_gain() -> None:
    large, small = first_sizes("large"), first_sizes("small")
    assert sum(size > 6000 for size in large) > 2 * sum(size > 6000 for size in small)


def test_with_hints_the_first_sizes_are_spread_whatever_came_of_the_others() -> None:
    hints = dict(SPACE.hints)
    assert hints
    assert first_sizes("large", 2, hints) == first_sizes("small", 2, hints)


def test_large_and_small_first_proposals_heed_hints_alike() -> None:
    """No trial has ended yet. Only who heeds a hint has exactly one of these learning rates."""
    rates = {"sgd.lr": 0.0123, "adam.lr": 0.00123}
    hinted = {"small": 0, "large": 0}
    for seed in range(16):
        proposer = Proposer(SPACE.suggest, constraints(), "front", seed, TARGET, hints=rates)
        proposals = sorted((proposer.propose() for _ in range(8)), key=lambda made: made.size)
        for place, proposal in enumerate(proposals):
            heeds = rates.items() & proposal.params.items()
            hinted["small" if place < 4 else "large"] += bool(heeds)
    assert min(hinted.values()) > 10, hinted


def share_of_batch_norm(hinted: str) -> float:
    """Of the 4th to the 8th proposals, while networks with BatchNorm are good."""
    shares = []
    for seed in range(12):
        proposer = Proposer(
            SPACE.suggest, constraints(), "front", seed, TARGET, hints={"norm": hinted}
        )
        play(proposer, 3)
        shares += [vgg(config).norm == "batch" for config in play(proposer, 5)]
    return sum(shares) / len(shares)


def test_a_hint_that_trials_contradict_is_heeded_less_within_the_first_proposals() -> None:
    """Heeded 6 times out of 10 it leaves 13 % with BatchNorm, and one in three has it by chance."""
    assert share_of_batch_norm("batch") > 0.6
    assert share_of_batch_norm("none") > 0.2


def test_what_nothing_can_meet_is_said_with_the_smallest_size() -> None:
    with pytest.raises(UserError, match=r"over the limit of 100 has [0-9,.k]+ parameters"):
        Proposer(SPACE.suggest, constraints(100), "front", seed=0, target=TARGET).propose()


def test_an_exhausted_space_ends_with_an_error_that_says_so() -> None:
    proposer = Proposer(one_width, constraints(None), "front", seed=0, target=TARGET)
    assert len(play(proposer, 6)) == 6
    with pytest.raises(UserError, match=DUPLICATE):
        proposer.propose()


def test_networks_too_deep_for_the_images_are_refused_and_counted() -> None:
    proposer = Proposer(SPACE.suggest, constraints(image_size=8), "random", seed=0, target=TARGET)
    for config in play(proposer, 10):
        assert len(vgg(config).stages) == 3
    assert proposer.refused[UNBUILDABLE] > 0


def test_a_failed_trial_teaches_nothing_and_breaks_nothing() -> None:
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=0, target=TARGET)
    for _ in range(12):
        proposal = proposer.propose()
        proposer.learn(proposal.shadow, None, False)
    play(proposer, 3)


def test_known_trials_are_not_proposed_again() -> None:
    proposer = Proposer(one_width, constraints(None), "random", seed=0, target=TARGET)
    known = {"width": 3}
    stage = VGGStage(width=3, kernels=("3x3",))
    config = TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))
    from optuna.distributions import IntDistribution

    shadow = proposer.know(config, 1000, known, {"width": IntDistribution(1, 6)})
    proposer.learn(shadow, 0.5, True)
    widths = [vgg(c).stages[0].width for c in play(proposer, 5)]
    assert sorted(widths) == [1, 2, 4, 5, 6]


def test_each_name_is_optunas_own_sampler() -> None:
    with quiet_optuna():
        kinds = {name: type(optuna_sampler(name, 0)).__name__ for name in SAMPLERS}
    assert kinds == {
        "front": "TPESampler",
        "tpe": "TPESampler",
        "nsga2": "NSGAIISampler",
        "gp": "GPSampler",
        "random": "RandomSampler",
    }


def test_a_learning_rate_that_differs_in_its_fifth_digit_is_refused() -> None:
    rates = iter([0.1, 0.100004, 0.2, 0.2000001, 0.3])

    def suggest(trial: Any) -> TrainConfig:
        trial.suggest_int("width", 1, 6)
        stage = VGGStage(width=3, kernels=("3x3",))
        return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=next(rates)))

    proposer = Proposer(suggest, constraints(None), "random", seed=0, target=TARGET)
    assert [c.optimizer.lr for c in play(proposer, 3)] == [0.1, 0.2, 0.3]
    assert proposer.refused[DUPLICATE] == 2


def remembers(seed: int, played: list[TrainConfig]) -> Proposer:
    """As a resumed run does it: with the trials of the first, and a seed of its own."""
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed, TARGET)
    for config in played:
        size = constraints().size(config)
        assert size is not None
        proposer.learn(proposer.know(config, size, {}, {}), quality(config), True)
    return proposer


def test_a_resumed_run_repeats_no_draw_of_the_first() -> None:
    first = play(Proposer(SPACE.suggest, constraints(), "front", 5, TARGET), 12)
    again = play(remembers(5, first), 12)  # even with the seed of the first
    assert not {canonical_key(c) for c in first} & {canonical_key(c) for c in again}
    assert play(remembers(6, first), 4) == play(remembers(6, first), 4)


def test_what_an_earlier_run_left_is_learned_as_one_task_as_trial_by_trial() -> None:
    played = play(Proposer(SPACE.suggest, constraints(), "random", 5, TARGET), 12)
    ended = []
    for config in played:
        size = constraints().size(config)
        assert size is not None
        ended.append(EndedTrial(config, size, {}, {}, quality(config), True, 0.0, True))
    ended.insert(3, replace(ended[0], config=cast(Any, None)))  # takes no other with it
    resumed = Proposer(SPACE.suggest, constraints(), "front", 6, TARGET)
    background = BackgroundProposer(resumed, lambda: None)
    background.recall(ended)
    background._thread.shutdown()
    assert play(resumed, 1) == play(remembers(6, played), 1)


def test_with_an_accuracy_asked_for_the_sampler_looks_where_few_parameters_have_it() -> None:
    """Accuracy grows with size alone; 70 % takes 6,000 parameters."""

    def sizes(min_acc: float | None) -> list[int]:
        proposer = Proposer(SPACE.suggest, constraints(), "front", 1, Target(0.1, min_acc))
        found = []
        for _ in range(28):
            proposal = proposer.propose()
            acc = min(0.95, 0.7 + 0.25 * math.log10(proposal.size / 6000))
            proposer.learn(proposal.shadow, acc, True)
            found.append(proposal.size)
        return found

    def near(found: list[int]) -> int:
        return sum(2500 < size < 12_000 for size in found[-10:])

    asked = sizes(0.7)
    assert near(asked) >= near(sizes(None)) + 3
    assert min(size for size in asked if size >= 6000) < 7000


def test_what_runs_is_not_proposed_once_more_beside_it() -> None:
    """Eight at once: with what runs taken into account they differ in size more."""
    proposer = Proposer(SPACE.suggest, constraints(), "front", seed=2, target=TARGET)
    play(proposer, 12)
    sizes = [proposer.propose().size for _ in range(8)]
    assert max(sizes) > 3 * min(sizes)
