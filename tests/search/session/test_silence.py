"""What takes time says what goes on."""

import re
import time

import pytest

from search.report import main as report
from search.session.events import EpochDone, TrialEnded, TrialStarted
from search.session.progress import Plain
from tests.harness import NAME, RunMain

SMALL = ("--epochs", "2", "--image-size", "16", "--per-class", "20", "--max-params", "20k")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a thousandth of a second were ten."""
    for module in ("paretrain.doing", "search.session.progress"):
        monkeypatch.setattr(f"{module}.EVERY_S", 0.001)


def test_a_long_epoch_is_told_to_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    def said(pattern: str) -> None:
        deadline = time.monotonic() + 60
        while not re.search(pattern, seen := seen_before[0] + capsys.readouterr().err):
            seen_before[0] = seen
            assert time.monotonic() < deadline, seen
            time.sleep(0.01)
        seen_before[0] = ""

    seen_before = [""]
    with Plain() as tell:
        said("no trial is being trained just now\n")
        tell(TrialStarted(3, 1000, "a net", "random"))
        tell(TrialStarted(4, 1000, "a net", "random"))
        first = r"epoch 1 is running, \d+ s so far"
        said(rf"#3: {first}; #4: {first}\n")
        tell(EpochDone(3, 1, 8, 0.5))
        said(r"#3: epoch 2 of 8 is running, \d+ s so far; #4")
        tell(TrialEnded(3, "stopped", "others promise more", 1000, "a net", None, 1, 2))
        capsys.readouterr()
        said("#4: epoch 1 is running")
    time.sleep(0.05)
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_an_epoch_is_told_to_a_log_where_nothing_was_told_for_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell = Plain()  # not entered: no second thread writes
    time.sleep(0.01)
    tell(EpochDone(0, 1, 2, 0.5))
    assert capsys.readouterr().err == "#0: epoch 1 of 2, validation accuracy 50.0%\n"


def test_a_search_and_a_report_tell_a_log_what_they_are_at(search: RunMain) -> None:
    code, out, err = search("--trials", 2, "--baselines", "none", *SMALL)
    assert code == 0
    for text in ("loading images: ", "measuring network 1 of 2", "measuring network 2 of 2"):
        assert text in err
    # Which of the two threads is the next to write is left to chance.
    assert re.search(r"#0: (epoch [12]|its last epoch)", err)
    assert "measuring" not in out
    first_trial = err.index("#0: ")
    assert "measuring" not in err[first_trial:] and "loading" not in err[first_trial:]
    code, out, err = search("--trials", 2, "--baselines", "none", *SMALL, "--quiet")
    assert code == 0 and err == ""


def test_a_report_tells_a_log_what_it_is_at(command: RunMain) -> None:
    code, out, err = command(report, "--study-name", NAME, "--out", "page.html")
    assert code == 0 and out == "wrote page.html\n"
    assert "drawing figures and answering questions" in err
