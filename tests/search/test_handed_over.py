"""What a search leaves to be passed on names no folder of the machine that made it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from paretrain.__main__ import main as train
from paretrain.config import TrainConfig
from search.export import main as export
from search.frames import write_csv
from search.report import main as report
from search.run import main as run
from tests.harness import RunMain

TINY = ("--epochs", 1, "--image-size", 16, "--max-params", "20k", "--baselines", "none")
NAME = "vgg_reduce-pets"


@pytest.mark.slow
@pytest.mark.parametrize("absolute", [False, True])
def test_reports_tables_events_and_results_name_no_folder(
    image_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_main: RunMain,
    absolute: bool,
) -> None:
    work = tmp_path / "SECRET" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    place = tmp_path / "SECRET" / ("elsewhere" if absolute else "work")
    place.mkdir(exist_ok=True)
    image_folder().rename(place / "pets")
    data = str(place.parent / "elsewhere/pets") if absolute else "pets"
    storage = ("--storage", place / "mine.db" if absolute else "mine.db")
    options = (*TINY, "--data", data, "--trials", 2, "--pruner", "none")
    code, events, _ = run_main(run, *options, *storage, "--json")
    assert code == 0
    study = ("--study-name", NAME, *storage)
    assert run_main(report, *study, "--out", "page.html", "--csv", "numbers").code == 0
    assert run_main(export, *study, "--trial", 0, "--out", "one.yaml").code == 0
    assert run_main(train, "one.yaml", "--out", "result", "--device", "cpu").code == 0
    handed = [Path("page.html"), *Path("numbers").iterdir(), *Path("result").iterdir()]
    for path in handed:
        assert b"SECRET" not in path.read_bytes(), path
    page = Path("page.html").read_text(encoding="utf-8")
    assert "pets" in page and "mine.db" in page
    assert "SECRET" not in events and "pets" in events and '"storage": "mine.db"' in events
    exported = TrainConfig.from_file(Path("one.yaml")).data.source
    assert exported == ("../elsewhere/pets" if absolute else "pets")


def test_an_exported_file_finds_its_images_from_elsewhere(
    image_folder: Callable[..., Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretrain.__main__ import _beside
    from paretrain.config import DataConfig

    root = image_folder()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    data = DataConfig(source=root.name)
    assert _beside(data, root.parent).source == str(root.resolve())
    assert _beside(DataConfig(), root.parent) == DataConfig()


def test_tables_hold_no_formula_of_a_foreign_database(here: Path) -> None:
    import pandas as pd

    table = pd.DataFrame(
        {
            "trial": [-1, 2],
            "verdict": ["=cmd|' /C calc'!A0", "error (OSError: no /home/me/SECRET/a.pth)"],
            "config.data.source": ["/home/me/pets", "digits"],
            "param.x": ["-5.5", "@SUM(1)"],
        }
    )
    (path,) = write_csv({"trials": table}, Path("numbers"))
    assert path.read_text().splitlines()[1:] == [
        "-1,'=cmd|' /C calc'!A0,pets,-5.5",
        "2,error (OSError: no a.pth),digits,'@SUM(1)",
    ]
    assert table["verdict"][0].startswith("=")
