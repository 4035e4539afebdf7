"""`python -m search.confirm`: the front once more, with other seeds."""

import signal

import pytest
import torch

from paretrain.data.load import load_data
from paretrain.training import Training
from search.confirm import main as confirm
from search.export import main as export
from search.session import confirming
from search.study.owner import beat, signs
from search.study.repeats import as_attribute, fresh_seeds, read_repeats
from tests.harness import STUDY, RunMain, empty_study, finished_trials, stored_front, study


def test_a_front_is_confirmed_by_the_workers_and_goes_on_after_ctrl_c(
    command: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = finished_trials()
    front = stored_front()
    wanted = 2 * len(front)
    asleep = beat(shares=True) | {"host": "elsewhere", "run": "0" * 32, "time": 0.0}
    study().set_user_attr("owner:1", asleep)

    with monkeypatch.context() as context:

        def interrupt(*arguments: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return as_attribute(*arguments)  # type: ignore[arg-type]

        context.setattr(confirming, "as_attribute", interrupt)
        code, out, err = command(confirm, *STUDY, "--seeds", 2, "--device", "cpu")
    assert code == 130 and out == "" and "the same command goes on from here" in err
    assert f"{wanted} trainings" in err and read_repeats(study()) == {}
    code, out, err = command(confirm, *STUDY, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "Rank" in out
    repeats = read_repeats(study())
    assert {number: [r.seed for r in of] for number, of in repeats.items()} == {
        record.number: fresh_seeds(record.number, 2) for record in front
    }
    # The search knows nothing of them: they do not count, and the front is the same.
    assert finished_trials() == before
    assert not signs(study().user_attrs), "whoever was lost writes no more"
    again = front[0].config.model_copy(update={"seed": fresh_seeds(front[0].number, 1)[0]})
    mine = [r.val_acc for r in Training(again, load_data(again.data), torch.device("cpu")).epochs()]
    assert tuple(mine) == repeats[front[0].number][0].val_accs

    code, out, err = command(confirm, *STUDY, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "trainings" not in err and f"#{front[0].number}" in out
    code, out, err = command(export, *STUDY, "--best")
    assert "2 other seeds: " in err and "(95%: " in err and "trained once" not in err
    assert "# Trained again with 2 other seeds: " in out


def test_other_images_than_the_searchs_confirm_nothing(command: RunMain) -> None:
    found = study()
    changed = found.user_attrs["provenance"] | {"data_fingerprint": "0123"}
    found.set_user_attr("provenance", changed)
    code, _, err = command(confirm, *STUDY, "--device", "cpu")
    assert code == 2 and "the images of digits have changed since the search" in err


def test_a_study_without_a_front_and_one_that_is_not_there(command: RunMain) -> None:
    code, _, err = command(confirm, "--study-name", empty_study())
    assert code == 2 and "so it has no front" in err
    code, _, err = command(confirm, "--study-name", "vgg_reduce-digist")
    assert code == 2 and "did you mean 'vgg_reduce-digits'" in err


def test_a_cluster_that_cannot_be_asked_changes_nothing(command: RunMain) -> None:
    def refused(*options: object) -> str:
        code, out, err = command(confirm, *STUDY, *options)
        assert code == 2 and out == "" and err.count("\n") == 1
        return err

    before = study().user_attrs
    assert "only with --engine ray" in refused("--ray-address", "head:6379")
    nobody = ("--engine", "ray", "--ray-address", "127.0.0.1:1")
    assert "nobody answers there" in refused(*nobody)
    assert "is no folder" in refused("--checkpoints", "studies.db")
    assert study().user_attrs == before
