"""The metrics that may count, against scikit-learn's, and what a training makes of them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, top_k_accuracy_score

from paretrain.config import Metric, TrainConfig
from paretrain.data.load import load_data
from paretrain.metric import METRICS, balanced_accuracy, guess_among, macro_f1
from paretrain.training import Training, patience_is_over

MakeConfig = Callable[..., TrainConfig]


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("seed", range(5))
def test_means_over_classes_are_those_of_scikit_learn(seed: int) -> None:
    draws = np.random.default_rng(seed)
    # Not every class has images, and not every one is predicted.
    true, said = draws.integers(0, 4 + seed, 30), draws.integers(1, 8, 30)
    confusion = np.zeros((9, 9), dtype=int)
    np.add.at(confusion, (true, said), 1)
    rows = confusion.tolist()
    assert balanced_accuracy(rows) == pytest.approx(balanced_accuracy_score(true, said))
    expected = f1_score(true, said, average="macro", zero_division=0)
    assert macro_f1(rows) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_a_training_measures_its_metric_and_learns_the_same(
    metric: Metric, tiny_config: MakeConfig
) -> None:
    config, cpu = tiny_config(metric=metric, keep="best", epochs=3), torch.device("cpu")
    data = load_data(config.data)
    training = Training(config, data, cpu)
    results = list(training.epochs())
    plain = list(Training(config.model_copy(update={"metric": "acc"}), data, cpu).epochs())
    same = {"seconds": 0.0, "val_score": None}
    assert [r.model_copy(update=same) for r in results] == [
        r.model_copy(update=same) for r in plain
    ]
    assert training.kept.score == max(result.score for result in results)
    logits, true = training.logits(data.val.images_NCHW).numpy(), data.val.labels_N.numpy()
    expected = {
        "acc": (logits.argmax(1) == true).mean(),
        "balanced_acc": balanced_accuracy_score(true, logits.argmax(1)),
        "macro_f1": f1_score(true, logits.argmax(1), average="macro", zero_division=0),
        "top5": top_k_accuracy_score(true, logits, k=5, labels=range(10)),
    }[metric]
    assert training.kept.score == pytest.approx(expected)
    assert training.evaluate(data.val).score(metric) == pytest.approx(expected)


def test_patience_waits_for_the_metric(tiny_config: MakeConfig) -> None:
    config = tiny_config(metric="macro_f1", keep="best", patience=1)
    first = next(Training(config, load_data(config.data), torch.device("cpu")).epochs())
    worse = first.model_copy(update={"val_acc": 1.0, "val_score": first.score - 0.01})
    assert patience_is_over(config, [first, worse])
    better = first.model_copy(update={"val_acc": 0.0, "val_score": first.score + 0.01})
    assert not patience_is_over(config, [first, better])


@pytest.mark.parametrize("classes", [3, 10])
def test_among_even_classes_guessing_gives_so_much(classes: int) -> None:
    draws = np.random.default_rng(0)
    true, said = draws.integers(0, classes, (2, 20_000))
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (true, said), 1)
    rows = confusion.tolist()
    assert macro_f1(rows) == pytest.approx(guess_among("macro_f1", classes), abs=0.01)
    assert balanced_accuracy(rows) == pytest.approx(guess_among("balanced_acc", classes), abs=0.01)
    assert guess_among("top5", classes) == min(1.0, 5 / classes)
