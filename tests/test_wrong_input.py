"""Wrong input: one line, exit code 2, nothing created. Each case goes through the command line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SEARCH = [
    (["--space", "vgg_redcue"], "did you mean 'vgg_reduce'"),
    (["--space", "nowhere/mine.py"], "no space file"),
    (["--data", "nowhere"], "no folder nowhere"),
    (["--data", "digit"], "did you mean 'digits'"),
    (["--data", "empty"], "no class folder with images"),
    (["--data", "file.txt"], "is a file"),
    (["--trials", "0"], "--trials"),
    (["--trials", "many"], "--trials"),
    (["--trails", "5"], "--trials"),
    (["--epochs", "0"], "--epochs"),
    (["--image-size", "4"], "--image-size"),
    (["--fraction", "1.5"], "--fraction 1.5"),
    (["--fraction", "0"], "--fraction 0"),
    (["--per-class", "-1"], "--per-class"),
    (["--max-params", "lots"], "500k or 2M"),
    (["--max-params", "10"], "raise --max-params"),
    (["--workers", "0"], "--workers"),
    (["--device", "cuda:99"], "device 'cuda:99'"),
    (["--device", "tpu"], "allowed are auto, cpu, cuda"),
    (["--timeout", "soon"], "90m or 2h"),
    (["--pruner", "median"], "--pruner"),
    (["--sampler", "grid"], "--sampler"),
    (["--baselines", "some"], "--baselines"),
    (["--seed", "-1"], "--seed"),
    (["--storage", "empty"], "is a folder"),
    (["--storage", "file.txt"], "not a SQLite database"),
    (["--storage", "nowhere/s.db"], "there is no folder nowhere"),
    (["extra"], "extra"),
]
EXPORT = [
    ([], "--study-name"),
    (["--study-name", "a"], "choose by one of"),
    (["--study-name", "a", "--knee", "--best"], "got --knee and --best"),
    (["--study-name", "a", "--knee"], "no database studies.db"),
    (["--study-name", "a", "--knee", "--storage", "file.txt"], "not a SQLite database"),
    (["--study-name", "a", "--knee", "--out", "empty"], "is a folder"),
    (["--study-name", "a", "--max-params", "x"], "500k or 2M"),
]
TRAIN = [
    ([], "config"),
    (["nowhere.yaml"], "cannot read configuration nowhere.yaml"),
    (["file.txt"], "must be a YAML mapping"),
    (["typo.yaml"], "wrong at optimiser: unknown key (did you mean 'optimizer'?)"),
    (["newer.yaml"], "format 99 is not known here"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("just some words, long enough for a header")
    good = "network: {stages: [{width: 4, kernels: [3x3]}]}\n"
    (tmp_path / "typo.yaml").write_text(good + "optimiser: {kind: sgd, lr: 1e-2}\n")
    (tmp_path / "newer.yaml").write_text(good + "format: 99\noptimizer: {kind: sgd, lr: 1e-2}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(
    main: Callable[[], None],
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert message in err
    assert out == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("arguments", "message"), SEARCH, ids=lambda v: " ".join(v))
def test_search(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from search.run import main

    check(main, arguments, message, folder, monkeypatch, capsys)


@pytest.mark.parametrize(("arguments", "message"), EXPORT, ids=lambda v: " ".join(v))
def test_export(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from search.export import main

    check(main, arguments, message, folder, monkeypatch, capsys)


@pytest.mark.parametrize(("arguments", "message"), TRAIN, ids=lambda v: " ".join(v))
def test_train(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from paretrain.__main__ import main

    check(main, arguments, message, folder, monkeypatch, capsys)
