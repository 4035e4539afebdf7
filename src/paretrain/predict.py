"""Classify images with a trained network.

    python -m paretrain.predict runs/best photo.jpg holiday/ --csv out.csv

Folders are searched for images, together with their sub-folders.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.formatting import count_of
from paretrain.paths import file_to_write
from paretrain.result.format_names import Format
from paretrain.safe_text import as_text, one_line

if TYPE_CHECKING:
    from paretrain.result.classifier import Prediction

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def predict(
    folder: Annotated[Path, Argument(help="Result folder that python -m paretrain wrote.")],
    images: Annotated[list[Path], Argument(help="Image files, or folders of them.")],
    csv: Annotated[
        Path | None, Option(help="Write path, label and probability to this file instead.")
    ] = None,
    top: Annotated[
        int, Option(min=1, help="How many classes to name, the most probable first.")
    ] = 1,
    form: Annotated[Format, Option(help="Which of the folder's files computes.")] = "weights",
    device: Annotated[
        str, Option(help="auto, cpu, cuda, cuda:N or mps; only the weights compute on a GPU.")
    ] = "cpu",
    trust: Annotated[
        bool, Option("--trust", help="Run code that the folder holds: only your own, or read.")
    ] = False,
    test_time_flip: Annotated[
        bool | None,
        Option(
            "--test-time-flip/--no-test-time-flip",
            help="Classify each image together with its mirror image. [default: as it was tested]",
        ),
    ] = None,
    skip_broken: Annotated[
        bool, Option("--skip-broken", help="Leave out files that are no images.")
    ] = False,
) -> int:
    """Print or write one line for each image."""
    from paretrain.data.folder import image_files
    from paretrain.result.load import load_classifier

    classifier = load_classifier(folder, form, device, trust, trust, test_time_flip)
    if csv is not None:
        csv = file_to_write(csv, "--csv", "out.csv", ".csv", ".tsv", ".txt", without="to print")
    notes: list[str] = []
    files = image_files(images, notes)
    skipped: list[str] = []
    predictions = classifier.predictions(files, skipped if skip_broken else None, top)
    if csv is None:
        for prediction in predictions:
            named = "  ".join(f"{one_line(label)}  {value:.1%}" for label, value in prediction.top)
            typer.echo(f"{as_text(one_line(str(prediction.path)))}  {named}")
    else:
        _write(csv, predictions, min(top, len(classifier.classes)))
        typer.echo(f"{csv}: {count_of(len(files) - len(skipped), 'image')}")
    for note in [*notes, *(f"skipped {each}" for each in skipped)]:
        typer.echo(f"note: {as_text(one_line(note))}", err=True)
    return 0


def _write(csv: Path, predictions: Iterable[Prediction], top: int) -> None:
    from paretrain.result.tables import write_csv

    header = ["path", "label", "probability"]
    for place in range(2, top + 1):
        header += [f"label_{place}", f"probability_{place}"]
    rows = (
        [p.path, *(cell for label, value in p.top for cell in (label, f"{value:.6f}"))]
        for p in predictions
    )
    try:
        write_csv(csv, header, rows)
    except OSError as error:
        raise UserError(f"cannot write {csv}: {error.strerror}: choose another --csv") from None


def main() -> None:
    """Run the command."""
    run_command(app, "python -m paretrain.predict")


if __name__ == "__main__":
    main()
