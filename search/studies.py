"""List, rename or delete the studies of a database.

python -m search.studies list
python -m search.studies rename vgg_reduce-digits mine
python -m search.studies delete vgg_reduce-digits
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from typer import Argument, Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.safe_text import visible
from paretrain.screen import Screen
from paretrain.shell import command_line
from search.option_values import STUDIES_DB, Storage
from search.study.collector import without_collector

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=help_text(__doc__))

Name = Annotated[str, Argument(help="Name of the study.")]


@app.command("list")
@without_collector(ends_soon=True)
def list_(storage: Storage = STUDIES_DB) -> int:
    """List the studies: what each searches, how many trials it has, when it was last at work."""
    from search.reporting.status_table import LISTED, listed_row
    from search.study.snapshot import snapshot_of
    from search.study.storage import load_study, open_studies

    _, names = open_studies(storage)
    table = Table(box=None, pad_edge=False)
    for column in LISTED:
        right = column == "Trials"
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for name in names:
        snapshot = snapshot_of(load_study(storage, name), storage)
        table.add_row(*map(escape, listed_row(snapshot)))
    Screen().print(table)
    return 0


@app.command()
def rename(
    name: Name,
    new: Annotated[str, Argument(help="Its new name.")],
    storage: Storage = STUDIES_DB,
) -> int:
    """Rename a study that nobody runs. It keeps everything else."""
    from search.study.keeping import rename_study

    rename_study(storage, name, new)
    command = command_line("search.run", "--study-name", new, *storage.options)
    typer.echo(f"'{name}' is '{new}' now: {command} ... goes on with its search")
    return 0


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False,
    storage: Storage = STUDIES_DB,
    artifacts: Annotated[
        Path | None,
        Option(help="Folder for uploads that search.dashboard had. [default: beside the database]"),
    ] = None,
) -> int:
    """Delete a study that nobody runs, damaged or not, with its trials and uploads; exported files
    and results stay."""
    from search.study.keeping import belongings, delete_study, uploads_folder

    folder = artifacts or uploads_folder(storage)
    what = f"study '{name}' with its {belongings(storage, name, folder).words}"
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"nobody can be asked whether to delete {what}: give --yes")
        if not typer.confirm(f"Delete {what} from {storage} for good?"):
            typer.echo("nothing was deleted")
            return 0
    gone = delete_study(storage, name, folder)
    typer.echo(f"deleted study '{name}' with its {gone.words}")
    if gone.original is not None:
        note = f"note: it was taken for a copy of {gone.original}: the state of running trials is"
        print(f"{note} left for that one", file=sys.stderr)
    for place in gone.kept:
        note = f"note: {visible(str(place))} is left: a copy of this database, which nothing tells"
        print(f"{note} from it, may need it; delete it if there is none", file=sys.stderr)
    for place in gone.left:
        note = f"note: checkpoints of it may be left in {visible(str(place))}: delete that folder"
        print(f"{note} on a machine that has it", file=sys.stderr)
    for place in gone.shared:
        note = f"note: {visible(str(place))} holds other files than its checkpoints: it is left"
        print(f"{note}, so look what they are before you delete it", file=sys.stderr)
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.studies")


if __name__ == "__main__":
    main()
