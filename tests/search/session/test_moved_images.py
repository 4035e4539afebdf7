"""Images are moved to another folder while a study lasts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from paretrain.__main__ import main as train
from paretrain.config import TrainConfig
from search.confirm import main as confirm
from search.export import main as export
from search.replay import main as replay
from tests.harness import RunMain, study

SMALL = ("--epochs", "1", "--image-size", "16", "--max-params", "20k", "--baselines", "none")
STUDY = ("--study-name", "mine")
WHERE = "python -m search.run --data PLACE --trials 1 --study-name mine --space vgg_reduce, with"


@pytest.fixture
def moved(search: RunMain, image_folder: Callable[..., Path], here: Path) -> tuple[Path, Path]:
    """Where the images of a study were, and where they are."""
    before, after = image_folder("before"), here / "after"
    assert search("--data", before, *STUDY, "--trials", 1, *SMALL).code == 0
    before.rename(after)
    return before, after


def test_commands_name_the_lost_place_and_what_to_do(
    moved: tuple[Path, Path], run_main: RunMain
) -> None:
    before, _ = moved
    for main, options in ((replay, ("--trial", 0)), (confirm, ("--seeds", 2))):
        code, _, err = run_main(main, *STUDY, *options)
        if main is confirm and "better than guessing" in err:  # nothing was found to confirm
            continue
        assert code == 2 and err.count("\n") == 1
        assert f"were last in {before} (data.source), which is not there" in err
        assert WHERE in err
    code, _, err = run_main(export, *STUDY, "--trial", 0, "--out", "net.yaml")
    assert code == 0 and f"note: {before} is not there: set data.source in net.yaml" in err
    code, _, err = run_main(train, "net.yaml")
    assert (
        code == 2 and f"the images are not in {before}" in err and "data.source in the conf" in err
    )


@pytest.mark.slow
def test_a_run_that_finds_them_elsewhere_tells_the_study(
    moved: tuple[Path, Path], search: RunMain, run_main: RunMain
) -> None:
    _, after = moved
    code, _, err = search("--data", after, *STUDY, "--trials", 1)
    assert code == 0 and "nothing to do" in err and len(study("mine").trials) == 1
    assert run_main(replay, *STUDY, "--trial", 0).code == 0
    code, _, err = run_main(export, *STUDY, "--trial", 0, "--out", "net.yaml")
    assert code == 0 and "is not there" not in err
    assert Path(TrainConfig.from_file(Path("net.yaml")).data.source).resolve() == after
