"""Look at spaces: list them, show one as a table, check your own.

python -m search.spaces list
python -m search.spaces show vgg_reduce
python -m search.spaces check mine.py
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from paretrain.cli import UserError, nearest, run_command
from paretrain.config import DataConfig
from paretrain.formatting import short_count
from search.problem.check import check_space, unknown_hints
from search.problem.constraints import Constraints
from search.problem.parameters import DRAWS, parameters, random_trials, reported, size_range
from search.problem.space import built_in_spaces, load_space
from search.sampling.coverage import modelled

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)

HINTED = 200
"""Draws among which each hinted parameter must be."""

Classes = Annotated[int, Option(min=2, max=100_000, help="That networks tell apart.")]
Size = Annotated[int, Option(min=8, max=1024, help="Of the images, in pixels.")]


@app.command("list")
def list_() -> int:
    """Name the built-in ones."""
    for name in built_in_spaces():
        typer.echo(f"{name:<14} {load_space(name).summary}")
    return 0


@app.command()
def show(
    name: Annotated[str, Argument(help="Name, or path of a .py file.")],
    classes: Classes = 10,
    image_size: Size = 224,
) -> int:
    """Its parameters as a table, the sizes it can have, and how much of it samplers model."""
    space = load_space(name)
    drawn = random_trials(space, DRAWS)
    rows = parameters(drawn)
    table = Table(title=f"{space.name}: {space.summary}", title_justify="left", box=None)
    for title in ("Parameter", "Range", "Asked for when", "Report"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row.name, row.range, row.condition, reported(space, row.name))
    console = Console()
    console.print(table)
    data = DataConfig(image_size=image_size)
    constraints = Constraints(
        lambda c: c.model_copy(update={"data": data}), classes, max_params=None
    )
    sizes = size_range(space, drawn, lambda config: constraints.size(constraints.complete(config)))
    images = f"{image_size}x{image_size}, {classes} classes"
    if sizes is None:
        console.print(f"No network takes images of {images}: raise --image-size", highlight=False)
    else:
        low, high = (short_count(size) for size in sizes)
        console.print(f"Sizes found: {low} to {high} parameters ({images})", highlight=False)
    hand_made = f"{len(space.baselines)} networks, {len(space.baseline_settings)} settings"
    console.print(f"Made by hand: {hand_made}, {len(space.claims)} with a claim", highlight=False)
    shares = modelled(drawn, len(rows))
    words = ", ".join(f"{sampler} {share:.0%}" for sampler, share in shares.items())
    console.print(f"Modelled of {len(rows)} parameters: {words}", highlight=False)
    return 0


@app.command()
def check(
    file: Annotated[str, Argument(help="Path of a .py file, or a name.")],
    classes: Classes = 4,
    image_size: Size = 32,
) -> int:
    """Random draws build, survive the YAML file and train a step; baselines and hints fit."""
    space = load_space(file)
    drawn = random_trials(space, HINTED)
    if unknown := unknown_hints(space, drawn):
        asked = sorted({key for trial in drawn for key in trial.params})
        raise UserError(
            f"HINTS['{unknown[0]}'] in {space.path}: suggest never asks for it"
            f"{nearest(unknown[0], asked)}"
        )
    found = check_space(space, classes, image_size)
    typer.echo(f"{space.path}: {space.summary or 'no docstring, so --list-spaces shows nothing'}")
    typer.echo(
        f"{found.built} draws build, {found.trained} of them trained a step, "
        f"{found.too_small_images} cannot take images of {image_size} pixels, "
        f"{found.baselines} baselines fit"
    )
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.spaces")


if __name__ == "__main__":
    main()
