"""Train one configuration in full, open the test part once, and keep the result.

python -m paretrain best.yaml --out runs/best
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from paretrain.cli import UserError, run_command
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData, Part
from paretrain.data.quality import identical_images, skipped_images
from paretrain.describe import describe
from paretrain.device import device_name, native_precision, pick_device
from paretrain.result import claim_folder, write_result
from paretrain.testset import load_test
from paretrain.training import EpochResult, Training

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def train(
    config: Annotated[Path, Argument(help="YAML file, as written by python -m search.export.")],
    out: Annotated[Path | None, Option(help="New folder. [default: runs/NAME]")] = None,
    epochs: Annotated[int | None, Option(min=1, help="Instead of the configuration's.")] = None,
    seed: Annotated[
        int | None, Option(min=0, max=2**63 - 1, help="Instead of the configuration's.")
    ] = None,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> int:
    """One training; exit code 1 when it diverged."""
    loaded = TrainConfig.from_file(config)
    changes = {"epochs": epochs, "seed": seed}
    wanted = loaded.model_copy(update={k: v for k, v in changes.items() if v is not None})
    chosen = pick_device(device)
    if wanted.precision == "bf16" and native_precision(chosen) != "bf16":
        raise UserError(
            f"the configuration asks for bf16, which {device_name(chosen)} does not compute "
            "natively: set precision: fp32 in it"
        )
    data = load_data(wanted.data)
    folder = claim_folder(out or Path("runs") / config.stem)
    try:
        training = Training(wanted, data, chosen)
    except ValueError as error:
        raise UserError(f"{config}: {error}") from None
    size = sum(parameter.numel() for parameter in training.network.parameters())
    console = Console(stderr=True)
    console.print(describe(wanted), highlight=False)
    console.print(
        f"{size:,} parameters, {len(data.train):,} training and {len(data.val):,} validation "
        f"images, {wanted.epochs} epochs, seed {wanted.seed}, {device_name(chosen)}",
        highlight=False,
    )
    _say(console, data.warnings)
    curve = _train(training, console)
    if curve[-1].health == "diverged":
        console.print("diverged: the loss is not finite; nothing was written", style="red")
        return 1
    try:
        test = load_test(wanted.data)
    except UserError as error:
        # Hours of training must not be lost to one image.
        write_result(folder, wanted, training, curve, None, data.fingerprint)
        raise UserError(f"{error}. The training is kept, untested, in {folder}") from None
    _say(console, _test_warnings(data, test))
    on_test = None if test is None else training.evaluate(test.to(chosen))
    write_result(folder, wanted, training, curve, on_test, data.fingerprint)
    kept = training.kept
    typer.echo(f"validation accuracy {kept.val_acc:.2%} after epoch {kept.epoch}")
    if on_test is None:
        typer.echo("no test part in these data: nothing was tested")
    else:
        images = sum(sum(row) for row in on_test.confusion)
        typer.echo(f"test accuracy {on_test.acc:.2%} on {images:,} images, opened once")
    typer.echo(f"{folder}: weights.safetensors, config.yaml, metrics.json, curve.csv")
    return 0


def _test_warnings(data: ImageData, test: Part | None) -> list[str]:
    if test is None:
        return []
    return [
        *identical_images("training", data.train, "test", test),
        *identical_images("validation", data.val, "test", test),
        *skipped_images("test", test),
    ]


def _say(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def _train(training: Training, console: Console) -> list[EpochResult]:
    curve = []
    for result in training.epochs():
        curve.append(result)
        console.print(
            f"epoch {result.epoch:>3}/{training.config.epochs}  loss {result.train_loss:.4f}  "
            f"train {result.train_acc:6.2%}  validation {result.val_acc:6.2%}  "
            f"lr {result.lr:.2g}  {result.seconds:.1f} s"
            + ("" if result.health == "ok" else f"  {result.health}"),
            highlight=False,
        )
    return curve


def main() -> None:
    """Console script."""
    run_command(app, "python -m paretrain")


if __name__ == "__main__":
    main()
