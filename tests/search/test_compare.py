"""`python -m search.compare`: studies beside one another."""

from pathlib import Path

from search.compare import main as compare
from tests.harness import RunMain
from tests.makers import mixed_study


def test_studies_are_compared_only_where_data_agree(tmp_path: Path, run_main: RunMain) -> None:
    storage, page = str(tmp_path / "s.db"), tmp_path / "both.html"
    for name, data in (("a", "same"), ("b", "same"), ("c", "other")):
        mixed_study(storage, name, data)
    place = ("--storage", storage)
    code, out, _ = run_main(compare, "a", "b", *place, "--out", page)
    assert code == 0 and "90.00%*" in out and "Hypervolume" in out
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
