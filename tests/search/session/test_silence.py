"""What takes time says what goes on."""

import pytest

from search.report import main as report
from tests.harness import NAME, RunMain

SMALL = ("--epochs", "2", "--image-size", "16", "--per-class", "20", "--max-params", "20k")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a thousandth of a second were ten."""
    for module in ("paretrain.doing", "search.session.progress"):
        monkeypatch.setattr(f"{module}.EVERY_S", 0.001)


def test_a_search_and_a_report_tell_a_log_what_they_are_at(search: RunMain) -> None:
    code, out, err = search("--trials", 2, "--baselines", "none", *SMALL)
    assert code == 0
    for text in ("loading images: 0 s", "measuring network 1 of 2", "measuring network 2 of 2"):
        assert text in err
    assert "#0: epoch 1 of 2, validation accuracy " in err
    assert "measuring" not in out
    first_trial = err.index("#0: epoch 1")
    assert "measuring" not in err[first_trial:] and "loading" not in err[first_trial:]
    code, out, err = search("--trials", 2, "--baselines", "none", *SMALL, "--quiet")
    assert code == 0 and err == ""


def test_a_report_tells_a_log_what_it_is_at(command: RunMain) -> None:
    code, out, err = command(report, "--study-name", NAME, "--out", "page.html")
    assert code == 0 and out == "wrote page.html\n"
    assert "drawing figures and answering questions" in err
