"""What one batch tells of a network before its first epoch, on the recorded table of vgg_reduce.

    python -m benchmarks.first_batch --data cifar10

Builds every network of the table anew, with its seed, and compares signals by how well they tell
networks that never learn (no epoch above 15 %) from the others: area under the ROC curve, and the
share of the never-learners that is found where 5 % of the others are accused (`found`). Then it
replays the search with and without `search.sampling.first_batch` (`--orders` orders; in random
order and by size). Takes minutes.
"""

import argparse
import gzip
import json
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.record import SETTINGS, path_of
from benchmarks.replay.front import Front
from benchmarks.replay.report import results
from benchmarks.replay.rules import ours
from benchmarks.replay.selections import BySize, Draws, Ended, RandomOrder, Selection
from benchmarks.replay.simulation import simulate
from benchmarks.replay.tables import Row, Table, read_table
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.training import Training
from search.problem.arrays import Floats
from search.problem.random_trial import RandomTrial
from search.sampling.first_batch import FirstBatch
from search.sampling.start_spread import measure_on
from spaces.vgg_reduce import suggest

PARTS, BATCH, STEPS = 10, 64, 3
NEVER = 0.15
"""A network whose accuracy never exceeds this has never learned."""


def networks(data: DataConfig) -> Iterator[tuple[int, TrainConfig, float]]:
    """Yield (part, configuration with its seed, best accuracy) of every recorded network."""
    for part in range(PARTS):
        lines = gzip.decompress(path_of(part).read_bytes()).decode().splitlines()
        for number, line in enumerate(lines):
            row = json.loads(line)
            config = suggest(RandomTrial(random.Random(0), row["config"]))
            epochs, seed = int(SETTINGS["epochs"]), (part * 1_000_003 + number) % 2**31
            update = {"data": data, "epochs": epochs, "seed": seed}
            yield part, config.model_copy(update=update), max(row["val_acc"])


def signals(config: TrainConfig, images: ImageData) -> dict[str, float]:
    """Return signals of a new network: log10 but for the loss, the share of dead units, and the
    score of Jacobians."""
    training = Training(config, images, torch.device("cpu"))
    network = training.network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    outputs: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: outputs.append(out.detach()))
        for layer in network.modules()
        if isinstance(layer, nn.ReLU)
    ]
    chosen = torch.arange(0, len(images.train), len(images.train) // BATCH)[:BATCH]
    pixels = training._normalised(images.train.images_NCHW[chosen]).requires_grad_()
    logits = network(pixels)
    loss = nn.functional.cross_entropy(logits, images.train.labels_N[chosen])
    weights = [p for p in network.parameters() if p.dim() > 1]
    gradients = [g.norm().item() for g in torch.autograd.grad(loss, weights, retain_graph=True)]
    jacobian = torch.autograd.grad(logits.sum(), pixels)[0].flatten(1)
    for hook in hooks:
        hook.remove()
    norms = [w.detach().norm().item() + 1e-30 for w in weights]
    optimizer = config.optimizer
    momentum = optimizer.momentum if optimizer.kind == "sgd" else 0.0
    lr = optimizer.lr / (1 - momentum)
    found = {
        "spread of the outputs over images": _log(logits.detach().std(0).mean().item()),
        "norm of the Jacobian to the pixels": _log(jacobian.norm().item()),
        "gradient norm, first layer": _log(gradients[0]),
        "gradient norm, smallest of a layer": _log(min(gradients)),
        "gradient norm over that of the weights": _log(
            min(g / w for g, w in zip(gradients, norms, strict=True))
        ),
        "gradient norm, all (grad_norm)": _log(math.hypot(*gradients)),
        "learning rate": _log(lr),
        "learning rate x gradient over weights": _log(
            min(lr * g / w for g, w in zip(gradients, norms, strict=True))
        ),
        "dead units, worst layer": max(
            (float((out.flatten(1) == 0).all(0).float().mean()) for out in outputs), default=0.0
        ),
        "correlation of Jacobians (jacob_cov)": _jacob_cov(jacobian),
        "synflow": _synflow(network, pixels.shape[1:]),
        "loss": loss.item(),
    }
    losses = [float(step.loss) for step, _ in zip(training.steps(1), range(STEPS), strict=False)]
    found[f"loss of training step {STEPS}"] = losses[-1] if math.isfinite(losses[-1]) else 99.0
    return found


def _log(value: float) -> float:
    return math.log10(max(value, 1e-30)) if math.isfinite(value) else 30.0


def _jacob_cov(jacobian: torch.Tensor) -> float:
    """Mellor et al. 2020, as in Abdelfattah et al. 2021."""
    if not (jacobian.std(1) > 0).all():
        return -1e9
    values = np.linalg.eigvalsh(np.nan_to_num(np.corrcoef(jacobian.double().numpy())))
    values = np.clip(values, 0, None) + 1e-5
    return -float(np.sum(np.log(values) + 1 / values))


def _synflow(network: nn.Module, shape: Sequence[int]) -> float:
    """Tanaka et al. 2020; the weights are as before afterwards."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.eval().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    parameters = list(network.parameters())
    out = network(torch.ones(1, *shape, dtype=torch.float64)).sum()
    flows = torch.autograd.grad(out, parameters, allow_unused=True)
    total = sum(
        float((p * f).abs().sum()) for p, f in zip(parameters, flows, strict=True) if f is not None
    )
    network.float().load_state_dict(before)
    network.train()
    return _log(total)


def told_apart(never: Floats, signal: Floats) -> tuple[float, float]:
    """Return the area under the ROC curve, and the share of never-learners found at 5 % false
    alarms, with the sign of the signal that tells more."""
    of_never, of_others = signal[never > 0], signal[never == 0]
    above = of_never[:, None] > of_others
    area = float((above + 0.5 * (of_never[:, None] == of_others)).mean())
    if area < 0.5:
        return told_apart(never, -signal)
    shares = [(of_never >= t).mean() for t in signal if (of_others >= t).mean() <= 0.05]
    return area, float(max(shares, default=0.0))


class Checked:
    """A selection whose candidates pass `FirstBatch`, as those of a search without hints do."""

    def __init__(
        self, make: Callable[[Draws], Selection], table: Table, spreads: dict[int, float]
    ) -> None:
        """`spreads`: by the identity of a row."""
        self._make, self._all, self._spreads = make, Draws(table), spreads

    def choose(
        self,
        order: int,
        started: int,
        ended: Sequence[Ended],
        front: Front,
        running: Sequence[Row] = (),
    ) -> Row:
        """See `benchmarks.replay.selections.Selection`."""
        check: FirstBatch[Row] = FirstBatch(lambda row: self._spreads[id(row)])
        for number, trial in enumerate(ended):
            check.note(number, trial.row)
            check.learn(number, trial.began)
        rows = self._all.candidates(order, started)
        passing = [row for row in rows if not check.refuses(row, started)]
        return self._make(_Given(passing or rows)).choose(order, started, ended, front, running)


class _Given(Draws):
    def __init__(self, rows: list[Row]) -> None:
        self._given = rows

    def candidates(self, order: int, started: int) -> list[Row]:
        return self._given


def replayed(half: str, spreads: Sequence[float], orders: int) -> list[dict[str, Any]]:
    """Replay a half of the table with and without the check."""
    table = read_table(path_of(half == "reporting").parent, 0.1)
    by_row = {id(row): spread for row, spread in zip(table.rows, spreads, strict=True)}
    makers: dict[str, Callable[[Draws], Selection]] = {
        "random": RandomOrder,
        "size": lambda draws: BySize(draws, table),
    }
    found = []
    for name, make in makers.items():
        for checked in (False, True):
            selection = Checked(make, table, by_row) if checked else make(Draws(table))
            epochs = 40 * table.epochs
            traces = [simulate(table, ours("ours"), selection, o, epochs, 1) for o in range(orders)]
            ends = [end for trace in traces for end in trace.endings]
            never = statistics.fmean(max(end.row.accs) <= NEVER for end in ends)
            lines = results(table, name, "ours", traces, (10, 20, 40), 1.0)
            line: dict[str, Any] = {"half": half, "select": name, "check": checked}
            line |= {f"@{r.budget}": (r.hv_mean, r.hv_se) for r in lines}
            found.append(line | {"never": never, "slow": lines[-1].slow_share})
    return found


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="Folder of CIFAR-10's images.")
    parser.add_argument("--orders", type=int, default=20, help="Orders of the replay.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = DataConfig(
        source=str(Path(options.data).resolve()),
        image_size=int(SETTINGS["image-size"]),
        fraction=float(SETTINGS["fraction"]),
        per_class=int(SETTINGS["per-class"]),
    )
    images = load_data(data)
    measure, seconds = measure_on(images), 0.0
    never, columns, parts, spreads = [], [], [], []
    for part, config, best in networks(data):
        start = time.process_time()
        spread = measure(config)
        seconds += time.process_time() - start
        assert spread is not None
        spreads.append(spread)
        columns.append({"of 16 images, another seed": spread} | signals(config, images))
        never.append(best <= NEVER)
        parts.append(part)
    print(f"{len(never)} networks, {statistics.fmean(never):.1%} never learn")
    print(f"{1000 * seconds / len(never):.0f} ms a network for the first row (processor time)\n")
    print("| signal | AUC | found |\n|---|---|---|")
    for name in columns[0]:
        values = np.nan_to_num(np.array([column[name] for column in columns]), nan=99.0)
        area, share = told_apart(np.array(never, dtype=np.float64), values)
        print(f"| {name} | {area:.3f} | {share:.0%} |")
    for half in ("tuning", "reporting"):
        own = [s for s, part in zip(spreads, parts, strict=True) if part % 2 == (half[0] == "r")]
        for line in replayed(half, own, options.orders):
            print(json.dumps(line))


if __name__ == "__main__":
    main()
