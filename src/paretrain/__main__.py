"""Train one configuration in full, open the test part once, and keep the result.

python -m paretrain best.yaml --out runs/best
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer import Argument, Option

from paretrain import __version__
from paretrain.cli import UserError, help_text, run_command
from paretrain.config import DataConfig, TrainConfig
from paretrain.doing import Doing
from paretrain.formatting import count_of
from paretrain.interruption import interruptible
from paretrain.own_network import refuse_untrusted, trust_code_of
from paretrain.paths import file_name, is_folder, is_there, user_path
from paretrain.screen import Screen
from paretrain.shell import command_line

if TYPE_CHECKING:
    import torch

    from paretrain.data.parts import ImageData, Part
    from paretrain.result.folder import ResultFolder
    from paretrain.result.write import Finished
    from paretrain.training import Training

EXIT_DIVERGED, EXIT_INTERRUPTED = 1, 130

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paretrain {__version__}")
        raise typer.Exit


@app.command(help=help_text(__doc__))
def train(
    config: Annotated[Path, Argument(help="YAML file, as written by python -m search.export.")],
    out: Annotated[
        Path | None, Option(help="New folder for the result. [default: runs/NAME]")
    ] = None,
    data_: Annotated[
        str | None,
        Option("--data", help="Where the images are now, if they have moved."),
    ] = None,
    images: Annotated[
        Path | None, Option(help="Folder that a CSV file's paths start from, where it has moved.")
    ] = None,
    epochs: Annotated[
        int | None, Option(min=1, help="Number of epochs, instead of the configuration's.")
    ] = None,
    seed: Annotated[
        int | None, Option(min=0, max=2**63 - 1, help="Seed, instead of the configuration's.")
    ] = None,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    threads: Annotated[
        int | None,
        Option(min=1, max=1024, help="Number of CPU threads, instead of the configuration's."),
    ] = None,
    all_images: Annotated[
        bool,
        Option("--all-images", help="Train on all images, even if the search used a part."),
    ] = False,
    with_validation: Annotated[
        bool, Option("--with-validation", help="Train on the validation images too.")
    ] = False,
    test_time_flip: Annotated[
        bool,
        Option(
            "--test-time-flip",
            help="Test and classify each image together with its mirror image: twice the time.",
        ),
    ] = False,
    resume: Annotated[bool, Option("--resume", help="Go on with an interrupted training.")] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace a result, or an unfinished training.")
    ] = False,
    trust: Annotated[
        bool, Option("--trust", help="Run the code that the configuration holds: read it first.")
    ] = False,
    version: Annotated[
        bool, Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> int:
    """Run one training. Exit code 1 when it diverged, 130 when it was interrupted."""
    import torch

    from paretrain.data.amount import with_all_images
    from paretrain.data.load import load_data
    from paretrain.device import device_name, native_precision, pick_device
    from paretrain.memory import is_out_of_memory
    from paretrain.result.folder import ResultFolder
    from paretrain.searched import other_images

    stored = TrainConfig.from_file(config)
    changes = {"epochs": epochs, "seed": seed, "threads": threads}
    wanted = stored.model_copy(update={k: v for k, v in changes.items() if v is not None})
    if all_images:
        wanted = with_all_images(wanted)
    here = _beside(wanted.data, config.parent)
    wanted = wanted.model_copy(update={"data": _data_now(here, data_, images)})
    if trust:
        trust_code_of(wanted.network)
    refuse_untrusted(wanted.network, str(config))
    chosen = pick_device(device)
    if wanted.precision == "bf16" and native_precision(chosen) != "bf16":
        raise UserError(
            f"the configuration asks for bf16, which {device_name(chosen)} does not compute "
            "natively: set precision: fp32 in it"
        )
    if with_validation:
        # Nothing is left to choose an epoch by.
        wanted = wanted.model_copy(update={"keep": "last", "patience": None})
    console = Screen(stderr=True)
    with Doing(console, "loading images"):
        data = load_data(wanted.data)
    folder = ResultFolder(out or Path("runs") / file_name(config.stem))
    _refuse_huge(config, wanted, len(data.classes))
    begun: dict[str, Any] = {"--with-validation": with_validation, "images": data.fingerprint}
    with Doing(console, "measuring numbers of threads"):
        chosen_threads, why = _threads(wanted, data, chosen, folder, resume)
    if chosen_threads is not None:
        torch.set_num_threads(chosen_threads)
        begun |= {"threads": chosen_threads} if wanted.threads is None else {}
    training = _prepared(config, wanted, data.joined() if with_validation else data, chosen)
    with folder.claimed(begun, resume, overwrite), interruptible():
        try:
            if resume:
                _load(training, folder)
            other = other_images(wanted, data, stored.data.source)
            _say_first(console, training, data, with_validation, why, other)
            return _through(
                training,
                data,
                folder,
                console,
                with_validation=with_validation,
                flip=test_time_flip,
                comment=_comment(config),
                other_images=other,
            )
        except KeyboardInterrupt:
            _say_how_to_go_on(training, folder)
            return EXIT_INTERRUPTED
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"out of memory: set micro_batch in {config} (now "
                f"{wanted.micro_batch or wanted.batch_size}) to fewer images"
            ) from None


def _threads(
    config: TrainConfig, data: ImageData, device: torch.device, folder: ResultFolder, resume: bool
) -> tuple[int | None, str]:
    """Return the number of CPU threads, None to leave it to torch, and how it was found.

    A training that goes on keeps the number that it began with: another one changes last digits.
    """
    from paretrain.threads import DIGITS, cores, fastest_here, measured_words

    if config.threads is not None:
        few = config.threads > cores()
        return config.threads, f" (this machine has {count_of(cores(), 'core')})" if few else ""
    if resume:
        before = folder.begun_with("threads")
        return (before if isinstance(before, int) and before > 0 else None), ""
    if device.type != "cpu":
        return None, ""
    if config.data.source == "digits":
        return DIGITS, ""
    if cores() == 1:
        return 1, ""
    best, measured = fastest_here(config, data)
    return best, f" (measured: {measured_words(measured)}; --threads)" if measured else ""


def _beside(data: DataConfig, folder: Path) -> DataConfig:
    """Return where images are that lie beside the configuration, not in the working folder."""
    places = {"source": data.source, "images": data.images}
    found = {
        name: str((folder / place).resolve())
        for name, place in places.items()
        if place and not is_there(user_path(place)) and is_there(folder / place)
    }
    return data.model_copy(update=found)


def _data_now(config: DataConfig, source: str | None, images: Path | None) -> DataConfig:
    """Return which images to use, some of them in another place than the configuration says."""
    from paretrain.data.locate import resolve_source
    from paretrain.data.names import is_csv

    if source is not None:
        config = config.model_copy(update={"source": resolve_source(source)})
    if images is None:
        return config
    folder = user_path(images)
    if not is_csv(config.source) or not is_folder(folder):
        wrong = "is no folder" if is_csv(config.source) else "only for data in a .csv file"
        raise UserError(f"--images {images}: {wrong}")
    return config.model_copy(update={"images": str(folder.resolve())})


def _refuse_huge(path: Path, config: TrainConfig, classes: int) -> None:
    from paretrain.memory import refuse_larger_than_memory

    try:
        refuse_larger_than_memory(config, classes)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _prepared(path: Path, config: TrainConfig, data: ImageData, device: torch.device) -> Training:
    """Build what is trained. Raises UserError where the network cannot be built, and where its
    weights would not say all that it answers."""
    from paretrain.memory import is_out_of_memory
    from paretrain.network_config import OwnConfig
    from paretrain.own_state import refuse_hidden_state
    from paretrain.training import Training

    try:
        if isinstance(config.network, OwnConfig):
            refuse_hidden_state(config.network, len(data.classes), config.data.image_size)
        return Training(config, data, device)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"{path}: its network does not fit into memory: take a smaller one"
        ) from None


def _through(
    training: Training,
    data: ImageData,
    folder: ResultFolder,
    console: Console,
    *,
    with_validation: bool,
    flip: bool,
    comment: tuple[str, ...],
    other_images: str,
) -> int:
    """Train, test once, write the result and print what it is. Returns the exit code.

    `with_validation`: the validation images are trained on. `flip`: mirror images are tested too.
    `comment`: the head of the configuration's file. `other_images`: how the images differ from the
    search's, or "".
    """
    from paretrain.full_training import train_to_the_end
    from paretrain.result.write import Finished, write_all

    train_to_the_end(training, folder, console, validated=not with_validation)
    if training.curve[-1].health == "diverged":
        folder.discard()
        console.print("diverged: the loss is not finite; nothing was written", style="red")
        return EXIT_DIVERGED
    with Doing(console, "loading and classifying the test part"):
        test, broken_test = _open_test(training.config)
        warnings = _test_warnings(data, test)
        there = None if test is None else test.to(training.device)
        on_test = None if there is None else training.evaluate(there, flip=flip)
    _say(console, warnings)
    untested = "" if on_test else broken_test or "the data have no test part"
    name = folder.final.name
    finished = Finished(
        name, training, with_validation, on_test, flip, untested, comment, other_images
    )
    try:
        with Doing(console, "writing the result"):
            missing = write_all(folder.partial, finished)
    except OSError as error:
        raise UserError(
            f"cannot write {error.filename or folder.partial}: {error.strerror or error}: mend it, "
            f"then {_again()}"
        ) from None
    kept_aside = folder.publish()
    _say(console, [kept_aside] if kept_aside else [])
    if broken_test:
        raise UserError(f"{broken_test}. The training is kept, untested, in {folder.name}")
    _say_result(finished, folder, missing)
    return 0


def _open_test(config: TrainConfig) -> tuple[Part | None, str]:
    """Return the test part, and what is wrong with it, or ""."""
    from paretrain.testset import load_test

    try:
        return load_test(config.data), ""
    except UserError as error:
        # One broken image must not cost hours of training.
        return None, str(error)


def _load(training: Training, folder: ResultFolder) -> None:
    """Set the training to its last checkpoint. Raises UserError when that is not possible."""
    from paretrain.checkpoint import load_checkpoint

    try:
        load_checkpoint(training, folder.checkpoint)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot go on with {folder.partial}: {error}: give the same configuration and options "
            "as then, or begin anew with --overwrite"
        ) from None


def _say_first(
    console: Console,
    training: Training,
    data: ImageData,
    with_validation: bool,
    threads_why: str,
    other_images: str,
) -> None:
    """`other_images`: how they differ from the search's, or ""."""
    import torch

    from paretrain.data.amount import amount_used
    from paretrain.describe import describe
    from paretrain.device import device_name

    config, images = training.config, training.data
    size = sum(parameter.numel() for parameter in training.network.parameters())
    validation = f"{len(images.val):,} validation images"
    if with_validation:
        validation = "no validation images"
    threads = torch.get_num_threads()
    console.print(describe(config), highlight=False)
    console.print(
        f"{size:,} parameters, {len(images.train):,} training and {validation}, "
        f"{count_of(config.epochs, 'epoch')}, seed {config.seed}, {device_name(training.device)}, "
        f"{count_of(threads, 'thread')}{threads_why}",
        highlight=False,
        soft_wrap=True,
    )
    notes = [*([other_images] if other_images else []), *data.warnings]
    if part := amount_used(config, training.images_used, images.all_training):
        notes.append(f"trains on {part}, as its search did: --all-images trains on all of them")
    if with_validation:
        notes.append(
            f"{len(images.val):,} validation images are trained on too: there will be no "
            "validation accuracy, and the last epoch counts"
        )
    if done := len(training.curve):
        notes.append(f"goes on after epoch {done} of {config.epochs}")
    _say(console, notes)


def _say_result(finished: Finished, folder: ResultFolder, missing: dict[str, str]) -> None:
    from paretrain.metric import NAMES

    kept, on_test = finished.training.kept, finished.on_test
    metric = finished.config.metric
    if not finished.with_validation:
        counts = "" if metric == "acc" else f"{NAMES[metric]} {kept.score:.2%}, "
        typer.echo(f"validation {counts}accuracy {kept.val_acc:.2%} after epoch {kept.epoch}")
    if on_test is None:
        typer.echo("no test part in these data: nothing was tested")
    else:
        images = sum(sum(row) for row in on_test.confusion)
        counts = "" if metric == "acc" else f"{NAMES[metric]} {on_test.score(metric):.2%}, "
        mirrored = " with their mirror images" if finished.test_time_flip else ""
        typer.echo(
            f"test {counts}accuracy {on_test.acc:.2%} on {images:,} images{mirrored}, opened once"
        )
    if steps := finished.training.steps_as:
        typer.echo(f"steps on the GPU: {steps}")
    for name, why in missing.items():
        typer.echo(f"no {name}: {why}")
    typer.echo(f"{folder.name}: {', '.join(sorted(path.name for path in folder.final.iterdir()))}")
    predict = command_line("paretrain.predict", folder.name, "IMAGES...")
    typer.echo(f"next: {predict}")


def _say_how_to_go_on(training: Training, folder: ResultFolder) -> None:
    done, epochs = len(training.curve), training.config.epochs
    if not folder.checkpoint.exists():
        print("interrupted before the end of an epoch: nothing was kept", file=sys.stderr)
        folder.discard()
        return
    where = "after its last epoch" if done == epochs else f"after epoch {done} of {epochs}"
    print(f"interrupted {where}, kept in {folder.partial}: {_again()}", file=sys.stderr)


def _again() -> str:
    """Return the words that name the command with which to go on."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return f"go on with: {command_line('paretrain', *words, '--resume')}"


def _comment(config: Path) -> tuple[str, ...]:
    """Return the comment lines at the head of a configuration file: they say how it was found."""
    lines = []
    for line in config.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return tuple(lines)


def _test_warnings(data: ImageData, test: Part | None) -> list[str]:
    from paretrain.data.quality import identical_images, skipped_images

    if test is None:
        return []
    return [
        *test.notes,
        *identical_images("training", data.train, "test", test),
        *identical_images("validation", data.val, "test", test),
        *skipped_images("test", test),
    ]


def _say(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Run the command."""
    run_command(app, "python -m paretrain")


if __name__ == "__main__":
    main()
