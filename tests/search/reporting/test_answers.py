"""Effects with intervals: planted ones are covered, and a study without an answer says so."""

import math
import random
import re
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from benchmarks.answers import check
from paretrain.cli import UserError
from paretrain.config import DataConfig
from search.problem.parameters import random_trials
from search.problem.space import Space, load_space
from search.reporting.answers.answer import Comparison, accuracy_change, compare, judge, margin
from search.reporting.answers.effect import PENALTIES, Effect, effects, kernels, residuals, slopes
from search.reporting.answers.observed import Observed, has_learned
from search.reporting.answers.questions import Question, questions
from search.reporting.answers.savings import LEAST, Lever
from search.reporting.answers.section import answers_section
from search.reporting.answers.study import answers, answers_of, size_kept, sizes
from search.reporting.answers.words import answers_frame, row, sentence
from search.reporting.figures.effects import effects_figure
from search.study.snapshot import StudySnapshot

NORM = CategoricalDistribution(("none", "batch"))
LR = FloatDistribution(1e-3, 1e-1, log=True)
BATCH = CategoricalDistribution((8, 16, 32, 64))
OPTIMIZER = CategoricalDistribution(("sgd", "adam"))
KNOWN: dict[str, BaseDistribution] = {"norm": NORM, "lr": LR, "batch": BATCH}


@pytest.fixture(scope="module")
def space() -> Space:
    return load_space("vgg_reduce")


def trial(acc: float, deviation: float = 0.0, **params: object) -> Observed:
    of = {name: KNOWN[name] for name in params}
    return Observed(params, of, acc, deviation, has_learned(acc, 1 / 10), 1000)


def some(count: int, gain: float, seed: int = 0, deviation: float = 0.0) -> list[Observed]:
    """BatchNorm multiplies errors by exp(-gain), the learning rate matters, the batch does not."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        norm, lr = rng.choice(("none", "batch")), 10 ** rng.uniform(-3, -1)
        y = 1.0 + gain * (norm == "batch") - 0.3 * (math.log10(lr) + 2) ** 2 + rng.gauss(0, 0.1)
        acc = 1.005 - math.exp(-y)
        found.append(trial(acc, deviation, norm=norm, lr=lr, batch=rng.choice((8, 16, 32, 64))))
    return found


def asked() -> list[Question]:
    return questions(KNOWN, {})


def of(found: Sequence[Comparison], name: str) -> list[Comparison]:
    return [one for one in found if one.question.name == name]


@pytest.mark.slow
def test_intervals_cover_planted_effects_in_at_least_90_of_100_studies(space: Space) -> None:
    """For each question, and over all of them, with a sampler that concentrates on what is good,
    trials that were stopped, failures at chance and noise that depends on the accuracy."""
    found = [one for seed in range(100) for one in check(space, 60, seed)]
    for name in {one.name for one in found}:
        covered = [one.covered for one in found if one.name == name]
        assert len(covered) >= 50 and np.mean(covered) >= 0.9, (name, np.mean(covered))
    assert np.mean([one.covered for one in found]) >= 0.93
    # An interval that covers everything would tell nothing.
    norm = [one for one in found if one.name == "BatchNorm: BatchNorm" and one.truth > 0.4]
    assert len(norm) >= 20 and np.mean([one.told for one in norm]) >= 0.6
    wrong = [one for one in found if one.told and one.value * one.truth < 0]
    assert len(wrong) <= 0.02 * len(found)


def test_a_planted_effect_is_told_and_one_that_is_none_is_not() -> None:
    found = compare(some(60, 0.5), asked())
    (norm,), (batch,), lr = of(found, "norm"), of(found, "batch"), of(found, "lr")
    assert norm.verdict == "better" and norm.holds and norm.more is None
    low, high = norm.interval
    assert low < 0.5 < high and high - low < 0.3
    assert norm.trials[0] + norm.trials[1] == 60
    assert batch.verdict in ("unknown", "same")
    assert [one.verdict for one in lr] == ["worse", "worse"]
    assert "BatchNorm" not in sentence(norm) and "batch instead of none: better" in sentence(norm)


def test_more_trials_are_asked_for_where_an_interval_does_not_tell_and_then_tell() -> None:
    few = some(16, 0.12, seed=3)
    (norm,) = of(compare(few, asked()), "norm")
    assert norm.verdict == "unknown" and norm.more is not None
    assert f"about {norm.more} more trials" in sentence(norm)
    many = some(16 + 3 * norm.more, 0.12, seed=3)
    (norm,) = of(compare(many, asked()), "norm")
    assert norm.verdict == "better"


def test_a_narrow_interval_around_nothing_is_no_difference_of_practical_size() -> None:
    rng = random.Random(1)
    trials = [
        trial(0.9 + rng.gauss(0, 0.001), norm=rng.choice(("none", "batch"))) for _ in range(40)
    ]
    (norm,) = compare(trials, questions({"norm": NORM}, {}))
    assert norm.verdict == "same"
    assert "no difference of practical size" in sentence(norm)


def test_stopped_trials_widen_the_interval_by_what_is_not_known_of_them() -> None:
    (sure,), (unsure,) = (
        of(compare(some(60, 0.3, deviation=d), asked()), "norm") for d in (0.0, 0.1)
    )
    assert sure.effect and unsure.effect
    assert unsure.effect.value == sure.effect.value and unsure.effect.se > 1.2 * sure.effect.se


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_a_study_of_few_trials_says_how_many_would_tell(count: int) -> None:
    found = compare(some(count, 0.5), asked())
    assert len(found) == 4
    for one in found:
        assert one.effect is None and one.verdict in ("unknown", "untried")
        assert "cannot tell" in sentence(one) and len(row(one)) == 6
        assert one.verdict == "untried" or (one.more is not None and one.more >= 1)


def test_one_level_alone_cannot_be_told(space: Space) -> None:
    trials = [trial(0.5 + i / 100, norm="batch", lr=0.01) for i in range(20)]
    found = compare(trials, asked())
    assert {one.verdict for one in found} == {"untried"}
    assert "the space does not draw both" in sentence(found[0])


def test_a_study_in_which_nothing_learned_tells_no_effect(space: Space) -> None:
    rng = random.Random(0)
    trials = [
        trial(0.1, norm=rng.choice(("none", "batch")), lr=10 ** rng.uniform(-3, -1))
        for _ in range(30)
    ]
    for one in compare(trials, asked()):
        assert one.verdict in ("unknown", "untried") and not one.holds
        assert math.isfinite(one.typical) and row(one)
    assert answers_of([], space, None).trials == 0
    frame = answers_frame(answers_of(trials, None, None))
    assert len(frame) == 3 and not frame["more_trials"].isna().all()
    assert ".0," not in frame[["trials", "reference_trials", "more_trials"]].to_csv()


def test_what_belongs_to_a_level_is_not_held_equal() -> None:
    """An optimizer's own learning rate is part of what it does."""
    distributions = {"optimizer": OPTIMIZER, "sgd.lr": LR, "norm": NORM}
    (question,) = questions({"optimizer": OPTIMIZER}, {})
    rows: list[dict[str, object]] = [
        {"optimizer": "sgd", "sgd.lr": 0.1, "norm": "none"},
        {"optimizer": "adam", "norm": "none"},
    ]
    assert question.belonging(rows) == {"optimizer", "sgd.lr"}
    assert question.belonging(rows[:1]) == {"optimizer"}
    assert [q.name for q in questions(distributions, {})] == ["optimizer", "sgd.lr", "norm"]


def test_questions_of_every_kind() -> None:
    known: dict[str, BaseDistribution] = {
        "batch": BATCH,
        "layers": IntDistribution(1, 4),
        "lr": LR,
        "flip": CategoricalDistribution((True, False)),
        "width": IntDistribution(4, 64, log=True),
        "only": CategoricalDistribution(("one",)),
    }
    batch, layers, lr, flip, width = questions(known, {})
    assert batch.step == "each doubling" and batch.level({"batch": 32}) == 2
    assert layers.step == "each 1 more" and layers.ordered
    assert lr.levels == ("0.0046 to 0.022", "0.001 to 0.0046", "0.022 to 0.1")
    assert [lr.level({"lr": value}) for value in (0.001, 0.01, 0.1)] == [1, 0, 2]
    assert flip.levels == ("no", "yes") and flip.level({}) is None
    assert width.levels[1] == "4 to 10" and width.level({"width": 64}) == 2
    words = {"mirror": {"ask": "Mirrored?", "of": ["flip"], "levels": {"a": [False], "b": [True]}}}
    assert questions(known, words)[0].text == "Mirrored?"
    assert len(questions(known, words)) == 5


def test_while_a_kernel_is_decomposed_no_more_than_it_and_the_products_are_there() -> None:
    """That is when a report takes most memory."""
    x = np.random.default_rng(0).normal(size=(200, 4))
    tracemalloc.start()
    try:
        for kernel in kernels(x):
            assert tracemalloc.get_traced_memory()[0] < 2.5 * kernel.nbytes
    finally:
        tracemalloc.stop()


def test_residuals_are_those_of_leaving_each_trial_out() -> None:
    """Against fitting the same ridge regressions again without each trial; the best is taken."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 4)), rng.normal(size=24)
    y += 2 * x[:, 0]
    tried = []
    for kernel in kernels(x):
        for penalty in PENALTIES:
            left = []
            for i in range(24):
                rest = np.delete(np.arange(24), i)
                inside = kernel[np.ix_(rest, rest)] + penalty * np.eye(23)
                left.append(y[i] - kernel[i, rest] @ np.linalg.solve(inside, y[rest]))
            tried.append(np.array(left))
    best = min(tried, key=lambda left: float((left**2).sum()))
    np.testing.assert_allclose(residuals(x, y[:, None])[:, 0], best, rtol=1e-5, atol=1e-6)
    assert (best**2).mean() < 0.6 * y.var()  # x tells something of y


def test_an_effect_and_its_error_are_those_of_least_squares_without_anything_else() -> None:
    """HC3 in closed form: each trial's residual over one minus its leverage."""
    rng = np.random.default_rng(0)
    d, e = rng.normal(size=(200, 1)), rng.normal(size=200)
    (one,) = slopes(d, 2 * d[:, 0] + e, np.zeros(200))
    value = float(d[:, 0] @ (2 * d[:, 0] + e) / (d[:, 0] @ d[:, 0]))
    rest = (2 * d[:, 0] + e - value * d[:, 0]) / (1 - d[:, 0] ** 2 / (d[:, 0] @ d[:, 0]))
    assert math.isclose(one.value, value)
    assert math.isclose(one.se, math.sqrt(((d[:, 0] * rest) ** 2).sum()) / (d[:, 0] @ d[:, 0]))
    (same,) = effects(np.zeros((200, 1)), d[:, 0], (2 * d[:, 0] + e)[:, None], np.zeros((200, 1)))
    assert same is not None and abs(same.value - value) < 0.02
    assert slopes(np.hstack([d, d]), e, np.zeros(200)) == []


def test_the_number_of_trials_that_would_tell_follows_the_standard_error() -> None:
    def made(value: float, se: float) -> Effect:
        return Effect(value, se, 1e6, 10.0, np.full(50, 0.02), np.zeros(50))

    # Information of 10 must be 1.96^2 times as much, and a random trial adds a quarter: 113.7.
    assert judge(made(0.1, 0.1), 0.9, 0.25, 0) == ("unknown", 120)
    assert judge(made(0.3, 0.1), 0.9, 0.25, 0) == ("better", None)
    assert judge(made(-0.3, 0.1), 0.9, 0.25, 0) == ("worse", None)
    assert judge(made(0.0, margin(0.9) / 3), 0.9, 0.25, 0) == ("same", None)
    assert judge(None, 0.9, 0.25, 14.2) == ("unknown", 15)
    assert judge(None, 0.9, 0.0, math.inf) == ("untried", None)
    assert math.isclose(accuracy_change(margin(0.7), 0.7), 0.005)
    for typical in (0.995, 0.999, 1.0):  # no accuracy is half a point above these
        assert math.isclose(margin(typical), math.log(2))
    assert accuracy_change(-5, 0.7) == -0.7


def test_levers_save_exactly_what_the_sizes_say(space: Space) -> None:
    count = sizes(space, 10, DataConfig(image_size=32))
    params = dict(space.baselines["VGG11 separable/16"])
    full = {**params, **{f"kernels{i}": "3x3" for i in range(1, 6)}}
    separable = Lever("separable", space.levers["separable kernels"]["open"], "separable")
    small, large = count(params), count(full)
    assert small and large
    third = {**full, **{k: v for k, v in params.items() if v == "separable"}}
    assert separable.decades(params, count) == math.log10(large / (count(third) or 0))
    assert separable.decades(full, count) == 0
    narrow = Lever("narrow", space.levers["narrower layers"]["open"])
    assert (narrow.decades(params, count) or 0) > 0.5


def test_what_does_not_change_the_size_is_found(space: Space) -> None:
    count = sizes(space, 10, DataConfig(image_size=32))
    drawn = random_trials(space, 60)
    known = {name: of for d in drawn for name, of in d.distributions.items()}
    kept = size_kept([d.params for d in drawn], known, count)
    assert {"optimizer", "batch_size", "sgd.lr", "dropout", "augment", "init"} <= kept
    assert not kept & {"width", "stages", "convs1", "kernels2", "norm", "fc_layers", "pool"}


def test_the_figure_shows_every_effect_with_units() -> None:
    found = compare(some(60, 0.5), asked())
    made = effects_figure(found)
    assert sum(len(trace.x) for trace in made.data) == sum(one.effect is not None for one in found)
    assert "(accuracy points)" in made.layout.xaxis.title.text
    assert effects_figure(compare([], asked())).data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("QUESTIONS = {'a': {'ask': 'A?'}}", "'of' is missing"),
        ("QUESTIONS = {'a': {'ask': 'A?', 'of': ['x'], 'level': {}}}", "'level' is unknown"),
        ("LEVERS = {'a': {'only': 1}}", "'open' is missing"),
    ],
)
def test_a_space_whose_questions_are_wrong_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def suggest(trial):\n    return None\n\n{text}\n")
    with pytest.raises(UserError, match=said):
        load_space(str(path))


def test_what_takes_absurdly_many_trials_is_more_than_the_study_can_tell() -> None:
    (norm,) = [c for c in compare(some(40, 0.0), questions(KNOWN, {})) if c.question.name == "norm"]
    for more, said in ((400, "about 400 more trials"), (401, "more than this study can tell")):
        far = replace(norm, verdict="unknown", more=more)
        assert said in sentence(far) and said in row(far)[-1]
    assert "about 1 more trial;" in sentence(replace(norm, verdict="unknown", more=1))


def test_what_cannot_be_told_yet_has_one_command_and_the_trials_it_takes(
    snapshot: StudySnapshot,
) -> None:
    found = answers(snapshot)
    assert found.savings is not None and len(snapshot.trials) + (found.savings.more or 0) == LEAST
    section = "".join(answers_section(snapshot))
    plain = re.sub(r"<.*?>", "", section)
    assert plain.count("python -m search.run") == 1
    assert f"a comparison takes {LEAST}, {found.savings.more} more" in plain
    row = next(row for row in section.split("<tr>") if "what saves most" in row)
    assert f"<td class=number>{LEAST}</td>" in row
