"""The search from Python."""

import inspect
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
import typer

from paretrain import load
from search import SearchResult, open_search, run_search
from search.run import app
from tests.harness import NAME

SMALL: dict[str, Any] = {
    **{"trials": 2, "epochs": 1, "image_size": 16, "max_params": "20k", "baselines": "none"},
    **{"per_class": 20, "progress": False},
}


@pytest.fixture
def found(storage: str) -> SearchResult:
    return open_search(NAME, storage)


def test_a_search_takes_what_the_command_takes() -> None:
    options = {option.name for option in typer.main.get_command(app).params}
    only_typed = {"dry_run", "list_spaces", "json_", "quiet"}
    assert set(inspect.signature(run_search).parameters) == options - only_typed | {"progress"}


def test_defaults_are_those_of_the_command() -> None:
    typed: Mapping[str, Any] = {o.name: o.default for o in typer.main.get_command(app).params}
    for name, argument in inspect.signature(run_search).parameters.items():
        if name not in ("progress", "storage"):
            assert str(argument.default) == str(typed[name]), name


def test_what_was_found_is_tables_and_a_figure(found: SearchResult) -> None:
    assert len(found.trials) == 10
    assert (
        found.front["size"].is_monotonic_increasing
        and found.front["val_acc"].is_monotonic_increasing
    )
    assert set(found.front["trial"]) <= set(found.trials["trial"])
    assert set(found.epochs["trial"]) <= set(found.trials["trial"])
    assert isinstance(found.figure(), go.Figure)
    assert "<table" in found._repr_html_() and NAME in repr(found)


def test_a_choice_is_exported_and_a_report_written(
    found: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert found.export("knee.yaml").exists()
    best = int(found.front["trial"].iloc[-1])
    assert found.export("best.yaml", best=True).read_text() != ""
    assert f"# Trial {best} of study {NAME}" in Path("best.yaml").read_text()
    assert found.report("page.html").read_text().startswith("<!")


@pytest.mark.parametrize(
    "given, said",
    [
        ({"trials": 0}, "trials"),
        ({"max_params": "x"}, "max_params x: must be"),
        ({"min_acc": 55}, "min_acc 55: must be"),
        ({"space": "nope"}, "unknown space 'nope'"),
        ({"data": "digitz"}, "did you mean 'digits'"),
        ({"objective": "size"}, "'objective'"),
        ({"timeout": "soon"}, "timeout soon"),
        ({"data": 3}, "data is int"),
        ({"columns": ("a", "b")}, "columns a,b: only for a .csv file"),
    ],
)
def test_a_wrong_argument_is_a_value_error_that_names_it(
    given: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        run_search(**given)
    assert "--" not in str(refused.value) and "\n" not in str(refused.value)
    assert not list(tmp_path.glob("*.db"))


def test_a_study_that_is_not_there_is_refused(storage: str) -> None:
    with pytest.raises(ValueError, match="no study 'none'"):
        open_search("none", storage)


@pytest.mark.slow
def test_images_in_memory_are_searched_trained_and_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = (draws.integers(0, 90, (80, 16, 16)) + 150 * labels[:, None, None]).astype(np.uint8)
    threads = torch.get_num_threads()
    found = run_search(data=(images, labels), **SMALL)
    assert len(found.trials) == 2 and found.study_name.startswith("vgg_reduce-arrays-")
    assert capfd.readouterr().err == ""
    trained = found.train(tmp_path / "runs/a", epochs=2, trial=0)
    assert torch.get_num_threads() == threads
    assert trained.classes == load(tmp_path / "runs/a").classes == ("0", "1")
    assert len(trained.predict(list(images[:3]))) == 3
    more = run_search(data=(images, labels), **SMALL | {"trials": 3})
    assert more.study_name == found.study_name and len(found.trials) == 3


def test_ctrl_c_is_raised_and_the_next_call_begins_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(plan: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        patch.setattr("search.session.runner._prepare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_search(**SMALL)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    with pytest.raises(ValueError, match="nope"):
        run_search("nope")
