"""`--min-acc`: the fewest parameters at no less than an accuracy."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest

from paretrain.cli import UserError
from paretrain.formatting import percent
from search.option_values import parse_accuracy
from search.problem.target import Aim
from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.rule import View
from search.study.storage import open_storage

SMALL = ("--epochs", "2", "--image-size", "16", "--per-class", "20", "--max-params", "20k")


@dataclass(frozen=True)
class Net:
    num_params: int
    val_acc: float

    @property
    def size(self) -> int:
        return self.num_params


def test_accuracies_as_people_type_them() -> None:
    assert parse_accuracy("55%", "--min-acc") == parse_accuracy("0.55", "--min-acc") == 0.55
    assert parse_accuracy(" 98.5 % ", "--min-acc") == pytest.approx(0.985)
    assert parse_accuracy("none", "--min-acc") is None
    for wrong in ("55", "0", "0%", "101%", "1.01", "-5%", "nan", "half", "", "%"):
        with pytest.raises(UserError, match=r"such as 55% or 0\.55"):
            parse_accuracy(wrong, "--min-acc")
    assert [percent(0.55), percent(0.985), percent(1.0)] == ["55%", "98.5%", "100%"]


def test_hypervolume_counts_from_the_accuracy_asked_for_once_somebody_has_it() -> None:
    aim = Aim(0.1, 0.7)
    assert Aim(0.1).reference([Net(1, 0.9)]) == aim.reference([]) == 0.1
    assert aim.reference([Net(9, 0.4), Net(99, 0.6)]) == 0.6  # whatever comes closer counts
    assert aim.reference([Net(9, 0.4), Net(99, 0.8)]) == 0.7
    assert Aim(0.1, 0.05).reference([Net(1, 0.9)]) == 0.1


def test_the_smallest_that_has_it_is_named() -> None:
    nets = [Net(10, 0.5), Net(20, 0.72), Net(20, 0.74), Net(50, 0.9)]
    assert Aim(0.1, 0.7).smallest(nets) == Net(20, 0.74)
    assert Aim(0.1, 0.95).smallest(nets) is None
    assert Aim(0.1, 0.95).closest(nets) == Net(50, 0.9)


def curve(number: int, num_params: int, *accs: float) -> Curve:
    return Curve(number, num_params, accs, (False,) * len(accs))


FINISHED = [
    curve(i, 1000 * (i + 1), *[(0.4 + 0.05 * i) * (e + 5) / 14 for e in range(10)])
    for i in range(8)
]


def test_the_rule_stops_what_will_not_reach_it_and_keeps_what_may() -> None:
    """At 900 parameters nothing has finished, so without --min-acc anything counts."""
    small = curve(9, 900, *FINISHED[1].accs[:5])
    free = FrontRule().decide(small, View(10, 0.1, 10**5, FINISHED))
    asked = FrontRule().decide(small, View(10, 0.1, 10**5, FINISHED, min_acc=0.7))
    assert not free.stop and asked.stop
    assert asked.numbers["front"] == 0.7 and asked.reason.endswith("70.0% asked for")
    good = curve(9, 900, *[acc * 1.05 for acc in FINISHED[7].accs[:5]])
    assert not FrontRule().decide(good, View(10, 0.1, 10**5, FINISHED, min_acc=0.7)).stop


def test_an_accuracy_that_nobody_has_does_not_stop_everything() -> None:
    good = curve(9, 900, *[acc * 1.05 for acc in FINISHED[7].accs[:5]])
    view = View(10, 0.1, 10**5, FINISHED, min_acc=0.99)
    decision = FrontRule().decide(good, view)
    assert not decision.stop and decision.numbers["front"] == FINISHED[7].val_acc


def test_a_search_says_stores_and_answers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from search.run import main

    monkeypatch.chdir(tmp_path)

    def search(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["program", "--baselines", "none", *SMALL, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        out, err = capfd.readouterr()
        return out, err

    def stored() -> object:
        study = optuna.load_study(
            study_name="vgg_reduce-digits", storage=open_storage("studies.db")
        )
        return study.user_attrs["min_acc"]

    out, err = search("--trials", "2", "--min-acc", "11%")
    assert "aim      fewest parameters at 11% validation accuracy or more" in err
    assert "Smallest network with 11% or more: #" in out or "No network with 11%" in out
    assert stored() == 0.11
    out, err = search("--trials", "2")  # what was not typed comes from the study
    assert "aim      fewest parameters at 11%" in err
    out, _ = search("--trials", "3", "--min-acc", "0.999", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0]["min_acc"] == stored() == 0.999
    aim = events[-1]["aim"]
    assert aim["reached"] is False and aim["min_acc"] == 0.999
    assert aim["val_acc"] == max(point["val_acc"] for point in events[-1]["front"])
    out, _ = search("--trials", "3")
    assert "No network with 99.9% or more: the best, #" in out
    out, err = search("--trials", "3", "--min-acc", "none")
    assert "aim " not in err and "or more:" not in out and stored() is None
