"""Tables, figures and the report of one real study, small enough to be searched once for all."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from search.figures.curves import MOST_CURVES, curves_figure
from search.figures.growth import growth, growth_figure
from search.figures.pareto import claimed_percent, pareto_figure
from search.figures.spending import spending_figure
from search.frames import epochs_frame, trials_frame, write_csv
from search.view import StudyView, view

NAME = "vgg_reduce-digits"


def run(main_of: Callable[[], None], arguments: list[str], patch: pytest.MonkeyPatch) -> int:
    patch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main_of()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with one finished study."""
    from search.run import main as search

    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PARETRAIN_CACHE", str(folder / "cache"))
        small = ["--epochs", "3", "--image-size", "16", "--per-class", "20", "--max-params", "20k"]
        assert run(search, ["--trials", "10", "--workers", "1", *small], patch) == 0
    yield str(folder / "studies.db")


@pytest.fixture
def seen(storage: str) -> StudyView:
    return view(storage, NAME)


def test_tables_have_every_trial_and_every_epoch(seen: StudyView, tmp_path: Path) -> None:
    wide, long = trials_frame(seen.study), epochs_frame(seen.study)
    assert len(wide) == len(seen.trials) and set(long["trial"]) <= set(wide["trial"])
    assert long.groupby("trial").size().to_dict() == {
        r.number: len(r.curve.accs) for r in seen.records
    }
    front = wide[wide["on_front"]].sort_values("size")
    assert list(front["trial"]) == [record.number for record in seen.front]
    assert {"config.batch_size", "config.network.norm", "param.optimizer"} <= set(wide.columns)
    written = write_csv(seen.study, tmp_path / "numbers")
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
