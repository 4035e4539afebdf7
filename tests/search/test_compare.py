"""`python -m search.compare`: studies beside one another."""

from pathlib import Path

from search.compare import main as compare
from search.reporting.comparison import round_sizes
from tests.harness import RunMain
from tests.makers import mixed_study


def test_studies_are_compared_only_where_data_agree(tmp_path: Path, run_main: RunMain) -> None:
    storage, page = str(tmp_path / "s.db"), tmp_path / "both.html"
    for name, data in (("a", "same"), ("b", "same"), ("c", "other")):
        mixed_study(storage, name, data)
    place = ("--storage", storage)
    code, out, _ = run_main(compare, "a", "b", *place, "--out", page)
    assert code == 0 and "90.00%*" in out and "Hypervolume: the area between" in out
    assert 'id="fronts"' in page.read_text(encoding="utf-8")
    code, _, err = run_main(compare, "a", "c", *place)
    assert code == 2 and "'c' has other images (other) than 'a' (same)" in err
    code, _, err = run_main(compare, "a", *place)
    assert code == 2 and "two different studies" in err


def test_what_differs_is_named_in_words(tmp_path: Path, run_main: RunMain) -> None:
    storage = str(tmp_path / "s.db")
    mixed_study(storage, "plain")
    mixed_study(storage, "even", metric="balanced_acc")
    code, _, err = run_main(compare, "plain", "even", "--storage", storage)
    assert code == 2 and "'even' has other objectives (" in err
    assert "params minimize) than 'plain' (val_acc maximize, params minimize)" in err


def test_sizes_of_the_table_are_round_and_reach_both_ends() -> None:
    assert round_sizes(990, 4_446) == [1_000, 2_000, 5_000]
    assert round_sizes(1_000, 1_000) == [1_000]
    assert round_sizes(6, 10) == [10] and round_sizes(1, 3) == [1, 2, 5]
    assert round_sizes(1, 9) == [1, 2, 5, 10]
