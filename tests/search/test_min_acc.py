"""`--min-acc`: the fewest parameters at no less than an accuracy."""

import pytest

from tests.harness import SMALL, Finished, RunMain, study


@pytest.mark.slow
def test_a_search_says_stores_and_answers_it(search: RunMain) -> None:
    def run(*arguments: str) -> Finished:
        done = search("--baselines", "none", *SMALL, *arguments)
        assert done.code == 0
        return done

    def stored() -> object:
        return study().user_attrs["min_acc"]

    _, out, err = run("--trials", "2", "--min-acc", "11%")
    assert "target    fewest parameters at 11% validation accuracy or more" in err
    assert "Smallest network with 11% or more: #" in out or "No network with 11%" in out
    assert stored() == 0.11
    _, _, err = run("--trials", "2")  # what was not typed comes from the study
    assert "target    fewest parameters at 11%" in err
    events = run("--trials", "3", "--min-acc", "0.999", "--json").events
    assert events[0]["min_acc"] == stored() == 0.999
    told = events[-1]["aim"]
    assert told["reached"] is False and told["min_acc"] == 0.999
    assert told["val_acc"] == max(point["val_acc"] for point in events[-1]["front"])
    _, out, _ = run("--trials", "3")
    assert "No network with 99.9% or more: the best, #" in out
    _, out, err = run("--trials", "3", "--min-acc", "none")
    assert "target " not in err and "or more:" not in out and stored() is None
