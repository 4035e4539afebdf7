"""Which cheap trainings rank networks best: on fewer images, or for fewer epochs?

    python -m benchmarks.fidelity --space vgg_reduce --data cifar10 --fraction 0.05 \
        --image-size 32 --epochs 8 --networks 16 --max-params 200k --out benchmarks/results

Random networks of a space are trained in full, which gives the accuracy that counts. Each is
trained again in two cheap ways, with the same share of the training steps: on a share of the images
(nested and stratified, see `TrainConfig.share`) for all epochs; and for a share of the epochs, with
the schedule to its end. A third way is the full training, cut after that share of the epochs. It
costs nothing, because every full training goes through it. Rank correlations are Spearman's.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.markdown import page, publish
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.locate import resolve_source
from paretrain.data.parts import ImageData
from paretrain.device import pick_device
from paretrain.shell import command_line
from paretrain.training import Training
from search.option_values import parse_count
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.space import Space, load_space

WAYS = {
    "cut": "the full training, cut after {epochs} epochs",
    "fewer epochs": "{epochs} epochs, the schedule to its end",
    "fewer images": "1/{part} of the images, all epochs",
}
RESAMPLES = 2000
"""Number of times that the networks are drawn again for the intervals (bootstrap)."""


def random_networks(
    space: Space, data: ImageData, update: dict[str, Any], count: int, limit: int, seed: int
) -> list[TrainConfig]:
    """Draw networks as a search draws its first ones: with the space's hints, under the limit.

    Only those with random weights are taken. `update` goes into every configuration.
    """
    constraints = Constraints(
        lambda c: c.model_copy(update=update), len(data.classes), limit, len(data.train)
    )
    rng = random.Random(seed)
    configs: list[TrainConfig] = []
    while len(configs) < count:
        config = constraints.complete(space.suggest(RandomTrial(rng, hints=space.hints)))
        if (
            not config.start.pretrained
            and constraints.obstacle(config, constraints.size(config)) is None
        ):
            configs.append(config.model_copy(update={"seed": len(configs)}))
    return configs


def measure(config: TrainConfig, data: ImageData, part: int, device: str) -> dict[str, float]:
    """Return validation accuracies of one network, in full and by way, and seconds of two ways."""

    def trained(**update: object) -> Training:
        training = Training(config.model_copy(update=update), data, pick_device(device))
        for _ in training.epochs():
            pass
        return training

    few = max(1, config.epochs // part)
    full, images = trained(), trained(share=1 / part)
    return {
        "full": full.kept.val_acc,
        "cut": full.curve[min(few, len(full.curve)) - 1].val_acc,
        "fewer epochs": trained(epochs=few).kept.val_acc,
        "fewer images": images.kept.val_acc,
        "full seconds": sum(epoch.seconds for epoch in full.curve),
        "fewer images seconds": sum(epoch.seconds for epoch in images.curve),
    }


def correlations(rows: Sequence[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Return each way's correlation (Spearman) with the accuracy in full, and its 95 % interval.

    The interval comes from networks drawn again with replacement.
    """
    rng = np.random.default_rng(0)
    full = np.array([row["full"] for row in rows])
    values = {}
    for way in WAYS:
        cheap = np.array([row[way] for row in rows])
        drawn = []
        for _ in range(RESAMPLES):
            chosen = rng.integers(len(rows), size=len(rows))
            if len(set(full[chosen])) > 1 and len(set(cheap[chosen])) > 1:
                drawn.append(spearmanr(full[chosen], cheap[chosen]).statistic)
        low, high = np.quantile(drawn, [0.025, 0.975])
        values[way] = (float(spearmanr(full, cheap).statistic), float(low), float(high))
    return values


def table(rows: Sequence[dict[str, float]], command: str, part: int, epochs: int) -> str:
    """Return the page, in Markdown."""
    best = int(np.argmax([row["full"] for row in rows]))
    lines: list[dict[str, object]] = []
    for way, (value, low, high) in correlations(rows).items():
        above = sum(row[way] > rows[best][way] for row in rows)
        lines.append(
            {
                "way": WAYS[way].format(part=part, epochs=max(1, epochs // part)),
                "rank correlation": value,
                "95 %": f"{low:.2f} to {high:.2f}",
                "ranked above the best network": above,
            }
        )
    seconds = [sum(row[key] for row in rows) for key in ("fewer images seconds", "full seconds")]
    words = [
        f"Rank correlation (Spearman) of validation accuracies with those of the full training of "
        f"{len(rows)} random networks ({min(row['full'] for row in rows):.1%} to "
        f"{max(row['full'] for row in rows):.1%} in full), {epochs} epochs.",
        f"The trainings on 1/{part} of the images took {seconds[0] / seconds[1]:.0%} of the time "
        "of the full ones: validation costs the same.",
    ]
    return page("Fewer images or fewer epochs?", command, words, lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="vgg_reduce")
    parser.add_argument("--data", required=True)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--networks", type=int, default=16)
    parser.add_argument(
        "--part", type=int, default=4, help="The share of images or epochs is 1/PART."
    )
    parser.add_argument("--max-params", default="200k")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="Folder for fidelity_SPACE.md and .json.")
    options = parser.parse_args()
    images = DataConfig(
        source=resolve_source(options.data),
        image_size=options.image_size,
        fraction=options.fraction,
    )
    space, data = load_space(options.space), load_data(images)
    rows: list[dict[str, float]] = []
    limit = parse_count(options.max_params, "--max-params")
    update = {"data": images, "epochs": options.epochs, "share": 1.0}
    networks = random_networks(space, data, update, options.networks, limit, options.seed)
    for config in networks:
        rows.append(measure(config, data, options.part, options.device))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    command = command_line("benchmarks.fidelity", *sys.argv[1:])
    text = table(rows, command, options.part, options.epochs)
    publish(text, options.out, f"fidelity_{space.name}.md")
    if options.out is not None:
        kept = json.dumps(rows, indent=1) + "\n"
        (options.out / f"fidelity_{space.name}.json").write_text(kept)


if __name__ == "__main__":
    main()
