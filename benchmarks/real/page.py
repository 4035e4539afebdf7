"""The page of the real search: fronts and networks by hand, scored on the test part."""

import platform
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import optuna
import torch

from benchmarks.machine import machine
from benchmarks.markdown import table
from benchmarks.real import search_part, tpe_part
from benchmarks.real.front_part import front
from benchmarks.real.searches_table import searches_table
from benchmarks.real.training import Trained, accuracy_on_test, read
from paretrain.data.parts import ImageData, Part
from paretrain.shell import command_line
from search.problem.front import pareto_front


def write_page(work: Path, data: ImageData, test: Part, words: Sequence[str], to: Path) -> None:
    """Score the networks on the test part, and write the page.

    Of each search only its front is scored, which validation images have chosen.
    """
    lists: dict[str, tuple[list[Trained], Path]] = {
        **{name: (front(work, name), work / "front") for name in search_part.searched_in(work)},
        "TPE": (pareto_front(tpe_part.trained(work)), work / "tpe"),
        "by hand": ([read(p) for p in sorted((work / "by-hand").glob("*.json"))], work / "by-hand"),
    }
    scored = [
        (who, network, accuracy_on_test(network, folder, data, test))
        for who, (networks, folder) in lists.items()
        for network in networks
    ]
    scored.sort(key=lambda row: row[1].num_params)
    text = "\n".join(
        [
            *_head(data, test, words),
            "",
            *searches_table({"": work}, 1 / len(data.classes)),
            "",
            *_rows(scored),
        ]
    )
    to.write_text(text + "\n", encoding="utf-8")
    print(text)


def _head(data: ImageData, test: Part, words: Sequence[str]) -> list[str]:
    lines = [
        "# A real search: CIFAR-10, 10,000 training images, 32 pixels, at most 300,000 parameters",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, shared with other programs; Python "
        f"{platform.python_version()}, torch {torch.__version__}, Optuna {optuna.__version__}. "
        "Each process has one thread. Commands: `python -m benchmarks.real` with `--part search`, "
        "`by-hand`, `tpe`, `test`. The first is this search:",
        "",
        "    " + command_line("search.run", *words, width=90).replace("\n", "\n    "),
        "",
        f"{len(data.train):,} training, {len(data.val):,} validation and {len(test):,} test images "
        "of 10 classes. Everything is trained by the same trainer for 10 epochs (trials that our "
        "search stops for fewer), once, with one seed. TPE is Optuna's `TPESampler` with its "
        "defaults and two objectives: the same space, limit and trainer, nothing stopped, and the "
        "processor time that our whole search took, with imports and forecast; the training under "
        "way at its end is finished and counted. Our search has the space's `HINTS` (course report "
        "E's settings); TPE has none, nor has `ours-no-hints`. None knows networks by hand.",
        "",
        "The validation images chose the fronts. The test part was opened once, when all had "
        "ended. Our fronts were trained again with the seeds of their trials, to have the weights.",
    ]
    return [part for line in lines for part in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    """Return a line as lines of a page; headings and commands stay whole."""
    return [line] if line[:1] in ("#", " ", "") else textwrap.wrap(line, 100)


def _rows(scored: Sequence[tuple[str, Trained, float]]) -> list[str]:
    """Return the networks by size. A network is beaten if a searched one, no larger, is better."""
    rows = []
    for who, network, on_test in scored:
        smaller = [s for s in scored if s[1].num_params <= network.num_params]
        better = {s[0] for s in smaller if s[2] > on_test}
        rows.append(
            [
                f"{network.num_params:,}",
                who,
                network.name.replace("_", "/") if who == "by hand" else network.name,
                f"{network.val_acc:.2%}",
                f"{on_test:.2%}",
                f"{network.seconds:.0f}",
                ", ".join(sorted(better)) or "-",
                network.words,
            ]
        )
    head = ["parameters", "from", "network", "validation", "test", "seconds to train"]
    head += ["beaten on the test part by", "what it is"]
    return [
        *table(head, rows),
        "",
        "Beaten: networks of that origin are no larger and more accurate on the test part. The "
        "standard error of a test accuracy is below half a point.",
    ]
