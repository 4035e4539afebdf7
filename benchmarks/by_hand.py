"""Is the network that a search finds better than the one a report ended with?

    python -m benchmarks.by_hand --report E --form /4 --data cifar10 --image-size 32 --epochs 10 \
        --trials 60 --seeds 3 --out benchmarks/results -- --fraction 0.1 --workers 2

Same images, epochs and image size for both. The report's final network (`--form`: with every width
divided, where the space has such forms) is trained once a seed; the search has the same seeds, no
hand-made networks, and a cap of the share of the report's parameters that it must do with. What
comes after `--` goes to `python -m search.run`, `--weights-dir` too.
"""

import argparse
import json
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.markdown import report
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.device import pick_device
from paretrain.networks.build import count_parameters
from paretrain.training import Training
from search.drawing import Drawing
from search.space import Space, load_space


@dataclass(frozen=True)
class Goal:
    """What a report ended with, and how small the search must be."""

    space: str
    baseline: str
    share: int
    """At most 1/share of its parameters."""


GOALS = {
    "A": Goal("vgg_reduce", "VGG11", 100),
    "B": Goal("from_scratch", "ResNet50", 10),
    "C": Goal("finetune", "GoogLeNet", 2),
    "D": Goal("data_scale", "ResNet50, all, batch 32 lr 1e-4", 2),
    "E": Goal("resnet9", "ResNet9 halved", 2),
}
FORMS = {"E": "ResNet9"}
"""Baselines whose divided forms are not named after the final one."""


@dataclass(frozen=True)
class Result:
    """One seed."""

    seed: int
    by_hand_params: int
    by_hand_acc: float
    found_params: int | None
    """Of the most accurate network under the cap."""
    found_acc: float
    smallest: int | None
    """Parameters of the smallest network that is at least as accurate as the report's."""


def baseline_params(space: Space, name: str) -> dict[str, Any]:
    """Raises UserError when there is no such form."""
    known = dict(space.nets) | dict(space.settings)
    if name not in known:
        raise UserError(f"no baseline '{name}' in {space.name}: there are {', '.join(known)}")
    return dict(known[name])


def search_config(options: argparse.Namespace, space: Space) -> tuple[TrainConfig, list[str]]:
    """The report's network as the search would complete it, from the search's own dry run, and the
    options for the search."""
    words = ["--space", space.name, "--data", options.data, "--epochs", str(options.epochs)]
    words += ["--image-size", str(options.image_size), *options.rest]
    drawing = Drawing(random.Random(0), baseline_params(space, options.baseline))
    config = space.suggest(drawing)
    with tempfile.TemporaryDirectory() as folder:
        out = _search([*words, "--trials", "1", "--max-params", "none", "--dry-run"], folder)
    header = next(event for event in out if event["event"] == "study")
    values = config.to_dict() | {"data": header["data"], "epochs": options.epochs}
    if config.start.pretrained and header["weights_dir"] is not None:
        values["start"] = values["start"] | {"weights_dir": header["weights_dir"]}
    if not header["pretrained"]:
        values["start"] = {}
    values["precision"] = header["precision"]
    return TrainConfig.from_dict(values), words


def _search(words: list[str], folder: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "search.run", "--json", "--baselines", "none", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise UserError(f"python -m search.run {shlex.join(words)} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_hand(config: TrainConfig, data: ImageData, device: str) -> float:
    """Validation accuracy of the report's network, of the epoch that it keeps."""
    training = Training(config, data, pick_device(device))
    for result in training.epochs():
        print(f"  by hand, epoch {result.epoch}: {result.val_acc:.2%}", file=sys.stderr)
    return training.kept.val_acc


def one_seed(
    seed: int, options: argparse.Namespace, config: TrainConfig, data: ImageData, words: list[str]
) -> Result:
    """The report's network, then the search."""
    goal = GOALS[options.report]
    classes, size = len(data.classes), config.data.image_size
    params = count_parameters(config.network, classes, size)
    acc = by_hand(config.model_copy(update={"seed": seed}), data, options.device)
    cap = str(params // goal.share)
    more = ["--max-params", cap, "--trials", str(options.trials), "--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        events = _search([*words, *more, "--device", options.device], folder)
    front = events[-1]["front"]
    best = max(front, key=lambda point: point["val_acc"], default=None)
    enough = [point["params"] for point in front if point["val_acc"] >= acc]
    return Result(
        seed,
        params,
        acc,
        None if best is None else best["params"],
        0.0 if best is None else best["val_acc"],
        min(enough, default=None),
    )


def table(results: list[Result], options: argparse.Namespace, data: ImageData) -> str:
    """Markdown; the verdict counts each seed against the mean of the report's network."""
    goal = GOALS[options.report]
    mean = statistics.fmean(result.by_hand_acc for result in results)
    met = sum(result.found_acc >= mean for result in results)
    claim = load_space(goal.space).claims.get(options.baseline)
    rows: list[dict[str, object]] = [
        {
            "seed": r.seed,
            "by hand": f"{r.by_hand_acc:.2%}",
            "parameters": r.by_hand_params,
            "best found": f"{r.found_acc:.2%}",
            "its parameters": "-" if r.found_params is None else r.found_params,
            "smallest as accurate": "-" if r.smallest is None else r.smallest,
        }
        for r in results
    ]
    words = [
        f"Report {options.report}, its `{options.baseline}`"
        + (f" (claim, on its own images: {claim})" if claim else "")
        + f"; search under 1/{goal.share} of its parameters, {options.trials} trials of at most "
        f"{options.epochs} epochs, {len(data.train):,} training and {len(data.val):,} validation "
        f"images of {len(data.classes)} classes at {options.image_size} pixels.",
        "Found accuracies are the best of many networks on the same validation images, which",
        "flatters them (`python -m search.confirm` says how much); those by hand are of one each.",
        f"At least as accurate as the mean by hand ({mean:.2%}): {met} of {len(results)} seeds.",
    ]
    command = f"python -m benchmarks.by_hand {shlex.join(options.typed)}"
    return report("Better than by hand?", command, words, rows)


def main() -> None:
    """The command; what the user can mend is said in one line."""
    try:
        _main()
    except UserError as error:
        sys.exit(f"error: {error}")


def _main() -> None:
    typed = sys.argv[1:]
    own, rest = typed, []
    if "--" in typed:
        own, rest = typed[: typed.index("--")], typed[typed.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", choices=list(GOALS), required=True)
    parser.add_argument("--form", default="", help="/4, /8, /16 where the space has it")
    parser.add_argument("--data", required=True)
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="folder for by_hand_REPORT.md and .json")
    options = parser.parse_args(own)
    # The search runs in a folder of its own.
    options.rest = [str(Path(w).resolve()) if "/" in w and Path(w).exists() else w for w in rest]
    options.typed = typed
    if Path(options.data).exists():
        options.data = str(Path(options.data).resolve())
    goal = GOALS[options.report]
    final = FORMS.get(options.report, goal.baseline) if options.form else goal.baseline
    options.baseline = final + options.form
    space = load_space(goal.space)
    config, words = search_config(options, space)
    data = load_data(config.data)
    results = []
    for seed in range(options.seeds):
        results.append(one_seed(seed, options, config, data, words))
        print(json.dumps(asdict(results[-1])), file=sys.stderr, flush=True)
    text = table(results, options, data)
    if options.out is not None:
        (options.out / f"by_hand_{options.report}.md").write_text(text)
        rows = json.dumps([asdict(result) for result in results], indent=1) + "\n"
        (options.out / f"by_hand_{options.report}.json").write_text(rows)
    print(text)


if __name__ == "__main__":
    main()
