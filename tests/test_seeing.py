"""Tables, figures and the report of one real study, small enough to be searched once for all."""

import json
import random
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial
from rich.console import Console

from search.frames import epochs_frame, trials_frame, write_csv
from search.report import main as report
from search.reporting.answers.savings import LEAST
from search.reporting.answers.section import answers_section
from search.reporting.answers.study import answers
from search.reporting.control_arm import control_arm
from search.reporting.figures.curves import MOST_CURVES, curves_figure
from search.reporting.figures.growth import growth, growth_figure
from search.reporting.figures.importances import importances_figure
from search.reporting.figures.pareto import claimed_percent, pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.importance import LEAST_TRIALS, importances
from search.session.summary import print_front, print_summary
from search.study.snapshot import StudyView, view

NAME = "vgg_reduce-digits"


@pytest.fixture
def seen(storage: str) -> StudyView:
    return view(storage, NAME)


def run(main_of: Callable[[], None], arguments: list[str], patch: pytest.MonkeyPatch) -> int:
    patch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main_of()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_tables_have_every_trial_and_every_epoch(seen: StudyView, tmp_path: Path) -> None:
    wide, long = trials_frame(seen.study), epochs_frame(seen.study)
    assert len(wide) == len(seen.trials) and set(long["trial"]) <= set(wide["trial"])
    assert long.groupby("trial").size().to_dict() == {
        r.number: len(r.curve.accs) for r in seen.records
    }
    front = wide[wide["on_front"]].sort_values("size")
    assert list(front["trial"]) == [record.number for record in seen.front]
    assert {"config.batch_size", "config.network.norm", "param.optimizer"} <= set(wide.columns)
    written = write_csv({"trials": wide, "epochs": long}, tmp_path / "numbers")
    assert [len(pd.read_csv(path)) for path in written] == [len(wide), len(long)]


def test_figures_have_units_and_the_studys_own_points(seen: StudyView) -> None:
    made = [f(seen) for f in (pareto_figure, curves_figure, growth_figure, spending_figure)]
    for figure in made:
        said = json.loads(figure.to_json())["layout"]
        axes = [key for key in said if key.startswith("xaxis")]
        assert axes and all("(" in said[key]["title"]["text"] for key in axes)
        assert len(figure.to_json()) < 60_000
    front = next(trace for trace in made[0].data if trace.name == "front")
    assert list(front.customdata) == [record.number for record in seen.front]
    assert made[0].layout.shapes[0].x0 == seen.max_params == 20_000
    assert len(made[1].data) == min(MOST_CURVES, len(seen.records))
    rows = growth(seen)
    assert all(a[0] <= b[0] and a[2] <= b[2] for a, b in pairwise(rows))
    assert rows[-1][0] == seen.ledger.spent.epochs


def test_a_claim_is_read_as_a_number() -> None:
    assert claimed_percent("58-59 %") == 58.5
    assert claimed_percent("about 55 %") == 55.0
    assert claimed_percent("not stated") is None


def test_the_report_is_one_file_that_needs_no_network(
    storage: str, seen: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    name = ["--study-name", NAME, "--storage", storage]
    assert run(report, [*name, "--out", str(path)], monkeypatch) == 0
    text = path.read_text(encoding="utf-8")
    own = text.replace(text.split("<script>", 1)[1].split("</script>", 1)[0], "")
    assert 'src="' not in own and '<link rel="icon" href="data:,">' in own
    for record in seen.front:
        assert f"#{record.number}" in own and f"{record.val_acc:.2%}" in own
    for figure in ("pareto", "effects", "curves", "growth", "spending"):
        assert f'id="{figure}"' in own
    assert "58-59 %" in own and "prefers-color-scheme: dark" in own
    assert [p.name for p in tmp_path.iterdir() if "report" in p.name] == ["report.html"]
    numbers = tmp_path / "numbers"
    assert run(report, [*name, "--csv", str(numbers)], monkeypatch) == 0
    assert {p.name for p in numbers.iterdir()} == {"trials.csv", "epochs.csv", "answers.csv"}


def test_commands_are_quoted_for_a_shell(seen: StudyView) -> None:
    named = replace(seen, storage="my [red] studies.db")
    words = shlex.split(f"python -m search.confirm {named.options}")
    assert words[3:] == ["--study-name", NAME, "--storage", "my [red] studies.db"]
    written = StringIO()
    plan: Any = SimpleNamespace(
        storage=named.storage,
        study_name="my study",
        min_acc=None,
        objective="params",
        space=SimpleNamespace(claims={}),
    )
    spent, control = seen.ledger, control_arm(seen.trials)
    print_summary(Console(file=written, width=80), plan, seen.finished, [], {}, spent, control)
    lines = [line for line in written.getvalue().splitlines() if "search.confirm" in line]
    options = ["--study-name", "my study", "--storage", "my [red] studies.db"]
    assert shlex.split(lines[0])[3:] == options


def test_the_front_on_a_terminal_names_whole_networks(seen: StudyView) -> None:
    written = StringIO()
    print_front(Console(file=written, width=50), seen.finished, {})
    text = "".join(written.getvalue().split())
    for record in seen.front:
        assert "".join(record.words.split()) in text


def test_what_cannot_be_told_yet_has_one_command_and_the_trials_it_takes(
    seen: StudyView,
) -> None:
    found = answers(seen)
    assert found.savings is not None and len(seen.trials) + (found.savings.more or 0) == LEAST
    section = "".join(answers_section(seen))
    plain = re.sub(r"<.*?>", "", section)
    assert plain.count("python -m search.run") == 1
    assert f"a comparison takes {LEAST}, {found.savings.more} more" in plain
    row = next(row for row in section.split("<tr>") if "what saves most" in row)
    assert f"<td class=number>{LEAST}</td>" in row


def test_a_report_that_cannot_be_written_says_so(
    storage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name = ["--study-name", NAME, "--storage", storage]
    assert run(report, [*name, "--out", str(tmp_path / "no" / "r.html")], monkeypatch) == 2
    assert "has no folder" in capfd.readouterr().err
    assert run(report, [*name, "--out", str(tmp_path)], monkeypatch) == 2
    assert "is a folder" in capfd.readouterr().err


def test_importances_tell_a_parameter_that_acts_from_one_that_does_not() -> None:
    acts, idle = FloatDistribution(0.0, 1.0), FloatDistribution(0.0, 1.0)
    draws = random.Random(0)
    trials = []
    for _ in range(60):
        params = {"acts": draws.random(), "idle": draws.random()}
        both: dict[str, BaseDistribution] = {"acts": acts, "idle": idle}
        value = params["acts"] + 0.05 * draws.random()
        trials.append(create_trial(value=value, params=params, distributions=both))
    study = optuna.create_study()
    study.add_trials(trials)
    found = importances(study.trials, lambda trial: trial.values[0])
    assert [(one.name, one.told) for one in found] == [("acts", True), ("idle", False)]
    assert "(" in importances_figure(found, "x").layout.xaxis.title.text
    assert importances(study.trials[: LEAST_TRIALS - 1], lambda trial: trial.values[0]) == []
