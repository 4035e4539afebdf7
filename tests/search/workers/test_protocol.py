"""What coordinator and workers say survives the stream."""

import math
import random

from paretrain.epoch_result import EpochResult
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.workers.protocol import (
    FROM_WORKER,
    TO_WORKER,
    Epoch,
    Go,
    Prepare,
    Probe,
    Stop,
    Train,
    line,
)

CONFIG = load_space("vgg_reduce").suggest(RandomTrial(random.Random(0)))


def test_every_order_survives_the_stream_in_one_line() -> None:
    for order in (
        Train(trial=3, config=CONFIG),
        Train(trial=3, config=CONFIG, checkpoint="/no UTF-8 \udce9/%41\n/3.pt"),
        Prepare(data=CONFIG.data, weights_dir="/\udcff", checkpoints="/%%\udcff", token="t"),
        Probe(config=CONFIG),
        Go(trial=3, epoch=1),
        Stop(trial=3),
    ):
        text = line(order)
        assert text.endswith(b"\n") and text.count(b"\n") == 1
        assert TO_WORKER.validate_json(text) == order


def test_an_epoch_survives_the_stream_to_the_last_bit_and_also_when_it_diverged() -> None:
    result = EpochResult(
        epoch=2,
        train_loss=math.nan,
        train_acc=0.1 + 0.2,
        val_loss=math.inf,
        val_acc=1 / 3,
        per_class=(0.0, 1.0),
        lr=1e-5,
        seconds=0.123456789,
        health="diverged",
    )
    heard = FROM_WORKER.validate_json(line(Epoch(trial=1, result=result)))
    assert isinstance(heard, Epoch)
    assert math.isnan(heard.result.train_loss) and math.isinf(heard.result.val_loss)
    again = heard.result.model_copy(update={"train_loss": 0.0})
    assert again == result.model_copy(update={"train_loss": 0.0})
