"""Results of `benchmarks.by_hand`: a file that grows seed by seed, and a table of all seeds."""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.markdown import page
from paretrain.cli import UserError


@dataclass(frozen=True)
class Result:
    """Results of one seed. `by_hand_` is the baseline, `found_` the network that the search found.

    Accuracies on the test part are None where there is none.
    """

    seed: int
    by_hand_params: int
    by_hand_acc: float
    by_hand_test: float | None
    found_params: int | None
    """Parameters of the most accurate network under the limit; None where there is none."""
    found_acc: float
    again_acc: float
    """Validation accuracy of that network, trained again with a seed that has chosen nothing."""
    again_test: float | None
    smallest: int | None
    """Parameters of the smallest network that is at least as accurate as the baseline."""
    also: dict[str, float]
    """Validation accuracies of other baselines, by name."""


def settings(options: argparse.Namespace, rest: Sequence[str]) -> dict[str, Any]:
    """Return what the results of several runs must have in common to be in one table."""
    keys = ("report", "form", "data", "image_size", "epochs", "trials", "also")
    return {key: getattr(options, key) for key in keys} | {"search": list(rest)}


def read_results(path: Path, wanted: dict[str, Any]) -> list[Result]:
    """Read the results of earlier runs of the same command.

    Raises UserError when the file is that of another command.
    """
    if not path.exists():
        return []
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["settings"] != wanted:
        raise UserError(f"{path} is of other settings ({stored['settings']}): move it away")
    return [Result(**row) for row in stored["results"]]


def write_results(path: Path, wanted: dict[str, Any], results: Iterable[Result]) -> None:
    """Write the results of all seeds so far."""
    stored = {"settings": wanted, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def table(results: Sequence[Result], command: str, what: str, share: int) -> str:
    """Return the page, in Markdown. `what` says what was compared, and on which images.

    Each seed is compared with the mean of the baseline. A network under the limit has by
    construction at most 1/`share` of the baseline's parameters.
    """
    rows: list[dict[str, object]] = [
        {
            "seed": r.seed,
            "by hand": f"{r.by_hand_acc:.2%}",
            "test": _percent(r.by_hand_test),
            "parameters": r.by_hand_params,
            "found": f"{r.found_acc:.2%}",
            "its parameters": _count(r.found_params),
            "trained again": f"{r.again_acc:.2%}",
            "its test": _percent(r.again_test),
            "smallest as accurate": _count(r.smallest),
        }
        for r in results
    ]
    hand = statistics.fmean(r.by_hand_acc for r in results)
    words = [
        what,
        "The found network is the best of many on the validation images, which flatters it: so it",
        "is trained once more with a fresh seed (its own columns). Those by hand are trained once;",
        "each seed counts against their mean.",
        "",
        f"- Validation images, mean by hand {hand:.2%}, mean found "
        f"{statistics.fmean(r.found_acc for r in results):.2%}: at least as accurate with at most "
        f"1/{share} of the parameters in {sum(r.found_acc >= hand for r in results)} of "
        f"{len(results)} seeds.",
        f"- The same, trained again, mean {statistics.fmean(r.again_acc for r in results):.2%}: "
        f"{sum(r.again_acc >= hand for r in results)} of {len(results)} seeds.",
        *_on_test(results),
        *_also(results),
    ]
    return page("Better than by hand?", command, words, rows)


def _on_test(results: Sequence[Result]) -> list[str]:
    by_hand = [r.by_hand_test for r in results if r.by_hand_test is not None]
    again = [r.again_test for r in results if r.again_test is not None]
    if not by_hand or not again:
        return []
    hand = statistics.fmean(by_hand)
    return [
        f"- Test part, mean by hand {hand:.2%}, mean trained again {statistics.fmean(again):.2%}: "
        f"{sum(acc >= hand for acc in again)} of {len(results)} seeds."
    ]


def _also(results: Sequence[Result]) -> list[str]:
    return [
        f"- By hand, too: `{name}`, validation mean "
        f"{statistics.fmean(r.also[name] for r in results):.2%} "
        f"({', '.join(f'{r.also[name]:.2%}' for r in results)})."
        for name in results[0].also
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _count(value: int | None) -> object:
    return "-" if value is None else value
