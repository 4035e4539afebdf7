"""The page that compares the searches of several seeds, by their validation images."""

import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.real.searches_table import searches_table
from paretrain.cli import UserError

CHANCE = 0.1
"""CIFAR-10 has ten classes."""


def works_of(work: Path) -> dict[str, Path]:
    """Return the folder of each seed by its number. Raises UserError where there is but one."""
    others = sorted(work.glob("seed-*"), key=lambda folder: int(folder.name.removeprefix("seed-")))
    if not others:
        raise UserError(f"--work {work} has one seed only: repeat the searches with --seed 1 first")
    return {"0": work, **{folder.name.removeprefix("seed-"): folder for folder in others}}


def write_seeds_page(works: Mapping[str, Path], to: Path) -> None:
    """Write the table of all searches."""
    words = (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, shared with other programs. As in "
        "[cifar10-real.md](cifar10-real.md), which may be of an earlier program; TPE has the "
        "processor time of our search. Commands: `python -m "
        "benchmarks.real --seed N` with `--part search` and `--part tpe`, then `--part seeds`. "
        "Everything here is by the validation images: the test part stays closed."
    )
    lines = [
        "# The real search with other seeds",
        "",
        *textwrap.wrap(words, 100),
        "",
        *searches_table(works, CHANCE),
    ]
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
