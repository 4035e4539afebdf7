from typing import Any

import pytest

from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.gate import OVER_CAP, UNBUILDABLE, Gate
from search.proposals import DUPLICATE, SAMPLERS, Proposer, SamplerName
from search.space import load_space

SPACE = load_space("vgg_reduce")


def gate(max_params: int | None = 50_000, image_size: int = 32) -> Gate:
    def complete(config: TrainConfig) -> TrainConfig:
        data = config.data.model_copy(update={"image_size": image_size})
        return config.model_copy(update={"data": data})

    return Gate(complete, num_classes=10, max_params=max_params)


def one_width(trial: Any) -> TrainConfig:
    stage = VGGStage(width=trial.suggest_int("width", 1, 6), kernels=("3x3",))
    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))


def quality(config: TrainConfig) -> float:
    """A stand-in for a final accuracy: BatchNorm and a learning rate near 0.003 are good."""
    lr = 0.02 if config.optimizer.kind == "sgd" else config.optimizer.lr
    return 0.2 + (0.5 if config.network.norm == "batch" else 0.0) + 10 * min(lr, 0.003)


def play(proposer: Proposer, trials: int) -> list[TrainConfig]:
    played = []
    for _ in range(trials):
        proposal = proposer.propose()
        acc = quality(proposal.config)
        proposer.learn(proposal.shadow, proposal.config, proposal.num_params, acc, True)
        played.append(proposal.config)
    return played


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_fit_the_cap_and_do_not_repeat(sampler: SamplerName) -> None:
    proposer = Proposer(SPACE.suggest, gate(), sampler, seed=1, chance=0.1)
    configs = play(proposer, 14)
    assert len({config.model_dump_json() for config in configs}) == 14
    sizes = [gate().size(config) for config in configs]
    assert all(size is not None and size <= 50_000 for size in sizes)
    assert proposer.refused[OVER_CAP] > 0


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_proposes_the_same(sampler: SamplerName) -> None:
    def run(seed: int) -> list[TrainConfig]:
        return play(Proposer(SPACE.suggest, gate(), sampler, seed, 0.1), 12)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_the_front_sampler_learns_what_is_good() -> None:
    proposer = Proposer(SPACE.suggest, gate(), "front", seed=0, chance=0.1)
    play(proposer, 20)
    later = play(proposer, 12)
    share = sum(config.network.norm == "batch" for config in later) / len(later)
    assert share > 0.7  # a third by chance


def test_the_front_sampler_spreads_its_sizes() -> None:
    proposer = Proposer(SPACE.suggest, gate(), "front", seed=0, chance=0.1)
    sizes = sorted(gate().size(config) or 0 for config in play(proposer, 30))
    assert sizes[-5] > 4 * sizes[4]


def test_what_nothing_can_meet_is_said_with_the_smallest_size() -> None:
    with pytest.raises(UserError, match=r"over the cap of 100 has [0-9,.k]+ parameters"):
        Proposer(SPACE.suggest, gate(100), "front", seed=0, chance=0.1).propose()


def test_an_exhausted_space_ends_with_an_error_that_says_so() -> None:
    proposer = Proposer(one_width, gate(None), "front", seed=0, chance=0.1)
    assert len(play(proposer, 6)) == 6
    with pytest.raises(UserError, match=DUPLICATE):
        proposer.propose()


def test_networks_too_deep_for_the_images_are_refused_and_counted() -> None:
    proposer = Proposer(SPACE.suggest, gate(image_size=8), "random", seed=0, chance=0.1)
    for config in play(proposer, 10):
        assert len(config.network.stages) == 3
    assert proposer.refused[UNBUILDABLE] > 0


def test_a_failed_trial_teaches_nothing_and_breaks_nothing() -> None:
    proposer = Proposer(SPACE.suggest, gate(), "front", seed=0, chance=0.1)
    for _ in range(12):
        proposal = proposer.propose()
        proposer.learn(proposal.shadow, proposal.config, proposal.num_params, None, False)
    play(proposer, 3)


def test_known_trials_are_not_proposed_again() -> None:
    proposer = Proposer(one_width, gate(None), "random", seed=0, chance=0.1)
    known = {"width": 3}
    stage = VGGStage(width=3, kernels=("3x3",))
    config = TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))
    from optuna.distributions import IntDistribution

    shadow = proposer.know(config, 1000, known, {"width": IntDistribution(1, 6)})
    proposer.learn(shadow, config, 1000, 0.5, True)
    widths = [c.network.stages[0].width for c in play(proposer, 5)]
    assert sorted(widths) == [1, 2, 4, 5, 6]
