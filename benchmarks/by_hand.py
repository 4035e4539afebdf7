"""Is the network that a search finds better than the one with which a course report ended?

    python -m benchmarks.by_hand --report E --form /4 --data cifar10 --image-size 32 --epochs 10 \
        --trials 60 --seeds 3 --out benchmarks/results -- --fraction 0.1 --workers 2

Both have the same images, epochs and image size. The course report's final network, which is a
baseline of the space, is trained once for each seed. With `--form` it has every width divided,
where the space has such baselines. The search has the same seeds, no baselines, and a limit: a
share of the baseline's parameters. What comes after `--` goes to `python -m search.run`, also
`--weights-dir`. A found network is the best of many on the validation images, so it is trained once
more with a fresh seed, and both are measured on the test part. With `--out` each seed is written
when it has ended, and the same command goes on.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from benchmarks.by_hand_results import Result, read_results, settings, table, write_results
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData, Part
from paretrain.device import pick_device
from paretrain.networks.build import count_parameters
from paretrain.shell import command_line
from paretrain.testset import load_test
from paretrain.training import Training
from search.problem.front import pareto_front
from search.problem.random_trial import RandomTrial
from search.problem.space import Space, load_space
from search.study.records import TrialRecord, read_records
from search.study.repeats import fresh_seeds
from search.study.storage import load_study


@dataclass(frozen=True)
class Goal:
    """The network with which a course report ended, and how much smaller the search must be."""

    space: str
    baseline: str
    share: int
    """The limit is 1/share of its parameters."""


GOALS = {
    "A": Goal("vgg_reduce", "VGG11", 100),
    "B": Goal("from_scratch", "ResNet50", 10),
    "C": Goal("finetune", "GoogLeNet", 2),
    "D": Goal("data_scale", "ResNet50, all, batch 32 lr 1e-4", 2),
    "E": Goal("resnet9", "ResNet9 halved", 2),
}
FORMS = {"E": "ResNet9"}
"""Baselines after which the divided ones are named, where it is not the final network."""


def baseline_params(space: Space, name: str) -> dict[str, Any]:
    """Return the parameters of a baseline. Raises UserError when there is none of that name."""
    known = dict(space.baselines) | dict(space.baseline_settings)
    if name not in known:
        raise UserError(f"no baseline '{name}' in {space.name}: there are {', '.join(known)}")
    return dict(known[name])


def header(options: argparse.Namespace, space: Space) -> dict[str, Any]:
    """Return the first event of a search with these options, from a dry run."""
    words = [*search_words(options, space), "--trials", "1", "--max-params", "none", "--dry-run"]
    with tempfile.TemporaryDirectory() as folder:
        events = _search(words, folder)
    return next(event for event in events if event["event"] == "study")


def completed(space: Space, name: str, header: dict[str, Any]) -> TrainConfig:
    """Return the configuration of a baseline as the search would complete it."""
    config = space.suggest(RandomTrial(random.Random(0), baseline_params(space, name)))
    values = config.to_dict() | {"data": header["data"], "epochs": header["epochs"]}
    if config.start.pretrained and header["weights_dir"] is not None:
        values["start"] = values["start"] | {"weights_dir": header["weights_dir"]}
    if not header["pretrained"]:
        values["start"] = {}
    values["precision"] = header["precision"]
    return TrainConfig.from_dict(values)


def search_words(options: argparse.Namespace, space: Space) -> list[str]:
    """Return the options that all searches have."""
    words = ["--space", space.name, "--data", options.data, "--epochs", str(options.epochs)]
    return [*words, "--image-size", str(options.image_size), *options.rest]


def _search(words: list[str], folder: str) -> list[dict[str, Any]]:
    """Run a search; return its events. Raises UserError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "search.run", "--json", "--baselines", "none", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise UserError(f"{command_line('search.run', *words)} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def train(
    config: TrainConfig, data: ImageData, test: Part | None, device: str
) -> tuple[float, float | None]:
    """Train; return accuracy on validation images and test part, of the epoch that is kept."""
    training = Training(config, data, pick_device(device))
    for result in training.epochs():
        print(f"  epoch {result.epoch}: {result.val_acc:.2%}", file=sys.stderr)
    on_test = None if test is None else training.evaluate(test.to(training.device)).acc
    return training.kept.val_acc, on_test


def search(options: argparse.Namespace, space: Space, limit: int, seed: int) -> list[TrialRecord]:
    """Run one search; return its Pareto front, smallest first."""
    words = [*search_words(options, space), "--max-params", str(limit), "--seed", str(seed)]
    words += ["--trials", str(options.trials), "--device", options.device]
    with tempfile.TemporaryDirectory() as folder:
        events = _search(words, folder)
        name = next(event["study"] for event in events if event["event"] == "study")
        study = load_study(str(Path(folder) / "studies.db"), name)
        return pareto_front(read_records(study, TrialState.COMPLETE))


def one_seed(
    seed: int,
    options: argparse.Namespace,
    space: Space,
    configs: dict[str, TrainConfig],
    images: tuple[ImageData, Part | None],
) -> Result:
    """Train the baselines in `configs`, the course report's final one first, then search."""
    accs = {}
    for name, config in configs.items():
        print(f"baseline: {name}", file=sys.stderr)
        seeded = config.model_copy(update={"seed": seed})
        accs[name] = train(seeded, *images, options.device)
    config = configs[options.baseline]
    size = config.data.image_size
    params = count_parameters(config.network, len(images[0].classes), size)
    acc, on_test = accs.pop(options.baseline)
    also = {name: other for name, (other, _) in accs.items()}
    front = search(options, space, params // GOALS[options.report].share, seed)
    if not front:
        return Result(seed, params, acc, on_test, None, 0.0, 0.0, None, None, also)
    best = front[-1]
    print("found, trained once more", file=sys.stderr)
    fresh = best.config.model_copy(update={"seed": fresh_seeds(best.number, 1)[0]})
    again = train(fresh, *images, options.device)
    smallest = next((record.num_params for record in front if record.val_acc >= acc), None)
    return Result(seed, params, acc, on_test, best.num_params, best.val_acc, *again, smallest, also)


def compared(
    options: argparse.Namespace, space: Space, first: dict[str, Any], test: Part | None
) -> str:
    """Say for the table what was compared, and on which images."""
    claim = space.claims.get(options.baseline)
    missing = first["without_weights"]
    return (
        f"Course report {options.report}, its `{options.baseline}`"
        + (f" (claim, on its own images: {claim})" if claim else "")
        + f"; searches under 1/{GOALS[options.report].share} of its parameters, {options.trials} "
        f"trials of at most {options.epochs} epochs. {first['training_images']:,} training, "
        f"{first['validation_images']:,} validation and {0 if test is None else len(test):,} test "
        f"images of {first['classes']} classes at {options.image_size} pixels."
        + (f" Without weights, so not proposed with them: {', '.join(missing)}." if missing else "")
    )


def main() -> None:
    """Run the command. A mistake that the user can correct becomes one line."""
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
    parser.add_argument("--report", choices=list(GOALS), required=True, help="Course report.")
    parser.add_argument("--form", default="", help="/4, /8 or /16, where the space has it.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--also", nargs="+", default=[], help="Other baselines to train.")
    parser.add_argument("--out", type=Path, help="Folder for by_hand_REPORT.md and .json.")
    options = parser.parse_args(own)
    wanted = settings(options, rest)
    # Paths become absolute, because the search runs in a folder of its own.
    options.rest = [str(Path(w).resolve()) if "/" in w and Path(w).exists() else w for w in rest]
    command = command_line("benchmarks.by_hand", *typed)
    if Path(options.data).exists():
        options.data = str(Path(options.data).resolve())
    goal = GOALS[options.report]
    final = FORMS.get(options.report, goal.baseline) if options.form else goal.baseline
    options.baseline = final + options.form
    space = load_space(goal.space)
    first = header(options, space)
    names = (options.baseline, *options.also)
    configs = {name: completed(space, name, first) for name in names}
    config = configs[options.baseline]
    images = load_data(config.data), load_test(config.data)
    kept = None if options.out is None else options.out / f"by_hand_{options.report}.json"
    results = [] if kept is None else read_results(kept, wanted)
    what = compared(options, space, first, images[1])
    for seed in range(len(results), options.seeds):
        results.append(one_seed(seed, options, space, configs, images))
        print(json.dumps(asdict(results[-1])), file=sys.stderr, flush=True)
        if kept is not None:
            write_results(kept, wanted, results)
            kept.with_suffix(".md").write_text(table(results, command, what, goal.share))
    print(table(results, command, what, goal.share))


if __name__ == "__main__":
    main()
