"""A real search: CIFAR-10 at 32 pixels, 10,000 training images, at most 300,000 parameters.

    python -m benchmarks.real --data cifar10 --work FOLDER --part search
    python -m benchmarks.real --data cifar10 --work FOLDER --part search-no-hints
    python -m benchmarks.real --data cifar10 --work FOLDER --part by-hand
    python -m benchmarks.real --data cifar10 --work FOLDER --part tpe
    python -m benchmarks.real --data cifar10 --work FOLDER --part test --out benchmarks/results
    python -m benchmarks.real --data cifar10 --work FOLDER --part seeds --out benchmarks/results

`search` is 30 trials of at most 10 epochs with `search.run`. `search-no-hints` is the same without
the space's HINTS; it may be left out. `tpe` is Optuna's TPE, which has no hints either, with the
same space, limit, trainer and epochs, until it has had the processor time of `search`; with
`--minutes` it can begin before our search has ended. `by-hand` trains networks that nobody
searched. `test` trains our fronts again, with the same seeds, to have their weights; then it opens
the test part and writes the page cifar10-real.md. `--seed N` repeats the searches with other random
numbers, in FOLDER/seed-N. `seeds` writes cifar10-real-seeds.md, which compares all seeds by their
validation images.

Each part goes on where it was interrupted, so it may run in pieces. `--data` is a folder with
CIFAR-10 as images, 40,000 to train after the split. It takes about two hours of one core.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

# Before torch is imported, also by the processes of the search.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
import typer
from typer import Option

from benchmarks.live.settings import Settings
from benchmarks.real.by_hand_part import by_hand
from benchmarks.real.front_part import front_again
from benchmarks.real.page import write_page
from benchmarks.real.search_part import Name, has_ended, run_search, searched_in, spent
from benchmarks.real.seeds_page import works_of, write_seeds_page
from benchmarks.real.tpe_part import run_tpe
from benchmarks.real.training import train
from paretrain.cli import UserError, help_text, run_command
from paretrain.data.load import load_data
from paretrain.testset import load_test

app = typer.Typer(add_completion=False, rich_markup_mode=None)

SPACES: dict[Name, str] = {
    "ours": str(Path(__file__).with_name("narrow_resnet9.py")),
    "ours-no-hints": str(Path(__file__).with_name("narrow_resnet9_plain.py")),
}
SIDE, FRACTION, EPOCHS, TRIALS, LIMIT = 32, 0.25, 10, 30, 300_000
BY_HAND_SEED = 0


def search_words(data: str, name: Name, seed: int = 0) -> list[str]:
    """Return the options of a search of ours."""
    words = ["--space", os.path.relpath(SPACES[name]), "--data", data, "--image-size", str(SIDE)]
    words += ["--fraction", str(FRACTION), "--epochs", str(EPOCHS), "--trials", str(TRIALS)]
    # No networks by hand are tried first, which Optuna does not know either.
    words += ["--max-params", str(LIMIT), "--baselines", "none"]
    return [*words, "--device", "cpu", "--threads", "1", "--seed", str(seed)]


@app.command(help=help_text(__doc__))
def real(
    data: Annotated[str, Option(help="As for search.run.")],
    work: Annotated[Path, Option(help="Folder for what is kept between parts.")],
    part: Annotated[
        Literal["search", "search-no-hints", "by-hand", "tpe", "test", "seeds"],
        Option(help="What to do."),
    ],
    seed: Annotated[int, Option(min=0, help="Of a search, ours or TPE's.")] = 0,
    minutes: Annotated[
        float | None, Option(help="Processor time of TPE [default: that of the search].")
    ] = None,
    out: Annotated[Path, Option(help="Existing folder for the page.")] = Path(),
) -> int:
    """Do one part."""
    if not out.is_dir():
        raise UserError(f"--out {out} is no folder: create it first")
    torch.set_num_threads(1)
    if part == "seeds":
        write_seeds_page(works_of(work), out / "cifar10-real-seeds.md")
        return 0
    if seed:
        work = work / f"seed-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    if part in ("search", "search-no-hints"):
        searched: Name = "ours" if part == "search" else "ours-no-hints"
        seconds = run_search(search_words(data, searched, seed), work, searched)
        print(f"{seconds / 60:.1f} minutes of processor time")
        return 0
    settings = Settings(data, SIDE, None, FRACTION, EPOCHS, LIMIT, space=SPACES["ours"])
    plan = settings.plan(seed, work, hints=False)
    images = load_data(plan.data)
    if part == "by-hand":
        for name, config in by_hand().items():
            config = plan.complete(config).model_copy(update={"seed": BY_HAND_SEED})
            trained = train(name.replace("/", "_"), config, images, work / "by-hand")
            print(f"{name}: {trained.val_acc:.2%}", flush=True)
    elif part == "tpe":
        if minutes is None and not has_ended(work, "ours"):
            raise UserError(f"the search in {work} has not ended: give --minutes")
        run_tpe(plan, images, work, spent(work, "ours") if minutes is None else 60 * minutes)
    else:
        for searched in searched_in(work):
            front_again(work, searched, images)
        test = load_test(plan.data)
        if test is None:
            raise UserError(f"--data {data} has no test part: give a folder with train/ and test/")
        write_page(work, images, test, search_words("cifar10", "ours"), out / "cifar10-real.md")
    return 0


def main() -> None:
    """Run the command."""
    run_command(app, "python -m benchmarks.real")


if __name__ == "__main__":
    main()
