"""Look at spaces: list them, show one as a table, check your own.

python -m search.spaces list
python -m search.spaces show vgg_reduce
python -m search.spaces check mine.py
"""

from typing import Annotated

import typer
from rich.table import Table
from typer import Argument, Option

from paretrain.cli import UserError, help_text, nearest, run_command
from paretrain.config import DataConfig
from paretrain.formatting import short_count
from paretrain.screen import Screen
from search.problem.space import built_in_spaces, load_space

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=help_text(__doc__))

HINTED = 200
"""Draws among which each hinted parameter must be."""

Classes = Annotated[
    int, Option(min=2, max=100_000, help="Number of classes that networks tell apart.")
]
Size = Annotated[int, Option(min=8, max=1024, help="Side of the images, in pixels.")]


@app.command("list")
def list_() -> int:
    """List the built-in spaces."""
    for name in built_in_spaces():
        typer.echo(f"{name:<14} {load_space(name).summary}")
    return 0


@app.command()
def show(
    name: Annotated[str, Argument(help="Name of a built-in space, or path of a .py file.")],
    classes: Classes = 10,
    image_size: Size = 224,
) -> int:
    """Show a space: its parameters as a table, and the sizes of its networks."""
    from search.problem.constraints import Constraints
    from search.problem.image_sides import advice_on_side
    from search.problem.parameters import DRAWS, parameters, random_trials, reported, size_range
    from search.sampling.coverage import modelled

    space = load_space(name)
    drawn = random_trials(space, DRAWS)
    rows = parameters(drawn)
    table = Table(title=f"{space.name}: {space.summary}", title_justify="left", box=None)
    for title in ("Parameter", "Range", "Asked for when", "Report"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row.name, row.range, row.condition, reported(space, row.name))
    console = Screen()
    console.print(table)
    data = DataConfig(image_size=image_size)
    constraints = Constraints(
        lambda c: c.model_copy(update={"data": data}), classes, max_params=None
    )
    sizes = size_range(space, drawn, lambda config: constraints.size(constraints.complete(config)))
    images = f"{image_size}x{image_size}, {classes} classes"
    if sizes is None:
        networks = [space.suggest(trial).network for trial in drawn]
        advice = advice_on_side(networks, classes, image_size)
        console.print(f"No network takes images of {images}: {advice}", highlight=False)
    else:
        low, high = (short_count(size) for size in sizes)
        console.print(f"Sizes found: {low} to {high} parameters ({images})", highlight=False)
    baselines = f"{len(space.baselines)} networks, {len(space.baseline_settings)} settings"
    console.print(f"Baselines: {baselines}, {len(space.claims)} with a claim", highlight=False)
    shares = modelled(drawn, len(rows))
    words = ", ".join(f"{sampler} {share:.0%}" for sampler, share in shares.items())
    console.print(f"Modelled of {len(rows)} parameters: {words}", highlight=False)
    return 0


@app.command()
def check(
    file: Annotated[str, Argument(help="Path of a .py file, or name of a built-in space.")],
    classes: Classes = 4,
    image_size: Size = 32,
) -> int:
    """Try a space: random networks are built, stored as YAML and trained a step."""
    from search.problem.check import check_space, impossible_hints, unknown_hints
    from search.problem.parameters import Parameter, random_trials

    space = load_space(file)
    drawn = random_trials(space, HINTED)
    if unknown := unknown_hints(space, drawn):
        asked = sorted({key for trial in drawn for key in trial.params})
        raise UserError(
            f"HINTS['{unknown[0]}'] in {space.path}: suggest never asks for it"
            f"{nearest(unknown[0], asked)}"
        )
    for name, distribution in impossible_hints(space, drawn).items():
        raise UserError(
            f"HINTS['{name}'] in {space.path} is {space.hints[name]!r}: suggest allows "
            f"{Parameter(name, distribution, '').range}"
        )
    checked = check_space(space, classes, image_size)
    typer.echo(f"{space.path}: {space.summary or 'no docstring, so --list-spaces shows nothing'}")
    typer.echo(
        f"{checked.built} random networks are sound; {checked.trained} of them were trained for a "
        f"step; {checked.too_small_images} need images of more than {image_size} pixels; "
        f"{checked.baselines} baselines fit"
    )
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.spaces")


if __name__ == "__main__":
    main()
