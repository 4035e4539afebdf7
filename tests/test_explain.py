"""The story of a trial, through the command line of a real study."""

import sys
from pathlib import Path

import pytest

from search.explain import main, sentence
from search.rule import Decision


def run(main_of: object, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main_of()  # type: ignore[operator]
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_real_study_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from search.run import main as search

    monkeypatch.chdir(tmp_path)
    small = ["--epochs", "4", "--image-size", "16", "--per-class", "20", "--max-params", "20k"]
    assert run(search, ["--trials", "8", "--baselines", "none", *small], monkeypatch) == 0
    capfd.readouterr()
    name = ["--study-name", "vgg_reduce-digits"]
    told = ""
    for number in range(8):
        assert run(main, [*name, "--trial", str(number)], monkeypatch) == 0
        out, _ = capfd.readouterr()
        assert out.startswith(f"#{number}: ") and "of 4 epochs" in out
        told += out
    assert "expected to end at" in told and "to exceed it" in told
    assert "finished at" in told
    assert run(main, [*name, "--trial", "99"], monkeypatch) == 2
    assert "there are trials 0 to 7" in capfd.readouterr().err


def test_a_sentence_has_the_numbers_of_the_judgement() -> None:
    numbers = {
        "epoch": 6.0,
        "val_acc": 0.612,
        "expected": 0.664,
        "low": 0.63,
        "high": 0.691,
        "front": 0.68,
        "rival": 9.0,
        "probability": 0.03,
        "gain": 0.0,
        "rate": 0.0,
        "rate_needed": 0.0,
    }
    assert sentence(Decision(True, "", numbers)) == (
        "after epoch 6: 61.2%, expected to end at 66.4% (90 %: 63.0-69.1); #9 has 68.0% at this "
        "size or below; 3% to exceed it: stopped"
    )
    control = Decision(False, "", numbers | {"would_stop": 1.0})
    assert sentence(control).endswith("control arm")
    waiting = Decision(False, "predicts one class, may still start", {"epoch": 2.0})
    assert sentence(waiting) == "predicts one class, may still start: goes on"
