"""`python -m search.export`: which trial, and its configuration as a file."""

from pathlib import Path

import pytest

from paretrain.config import SearchedOn, TrainConfig
from search.export import main as export
from tests.harness import (
    STUDY,
    RunMain,
    empty_study,
    finished_trials,
    make_larger_ones_better,
    stored_front,
    study,
)


def test_every_way_to_choose(command: RunMain) -> None:
    front = stored_front()
    best, smallest = front[-1], front[0]

    def chosen(*options: object) -> int:
        code, out, err = command(export, *STUDY, *options)
        assert code == 0
        config = TrainConfig.from_yaml(out)
        assert "next: " in err and "parameters" in err
        (number,) = [
            r.number for r in finished_trials() if r.config.seed == config.seed
        ]  # a trial's seed is its own
        assert out.startswith(f"# Trial {number} of study vgg_reduce-digits: ")
        return number

    assert chosen("--best") == best.number
    assert chosen("--max-params", smallest.num_params) == smallest.number
    assert chosen("--min-acc", best.val_acc) == best.number
    assert chosen("--min-acc", smallest.val_acc) == smallest.number
    assert chosen("--within", "100%") == smallest.number
    assert chosen("--within", "0.0001%") == best.number
    assert chosen("--trial", 3) == 3
    for record in front:
        assert chosen("--min-acc", record.val_acc) == record.number
    assert chosen("--knee") in [record.number for record in front]


def test_a_trial_that_has_not_ended_is_no_choice(command: RunMain) -> None:
    study().enqueue_trial({})
    code, out, err = command(export, *STUDY, "--trial", 5)
    assert code == 2 and out == "" and "trial 5 of study 'vgg_reduce-digits' has not ended" in err


def test_the_neighbours_on_the_front_are_named_with_their_margins(command: RunMain) -> None:
    make_larger_ones_better()
    front = stored_front()
    assert len(front) == 5
    code, out, _ = command(export, *STUDY, "--best", "--out", "my best.yaml")
    assert code == 0
    margin = 100 * (front[-2].val_acc - front[-1].val_acc)
    assert f"next smaller: #{front[-2].number}" in out and f"{margin:+.2f} points" in out
    assert "next: python -m paretrain 'my best.yaml'" in out and "trained once: " in out
    head = Path("my best.yaml").read_text().split("format:")[0]
    assert "5 finished of 5 trials: the most accurate one" in head
    assert "space vgg_reduce.py, sampler front, seed 0" in head


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-acc", "100%"), "no network of the front has 100%: the most accurate one has"),
        (
            ("--max-params", "10"),
            "no network of the front has at most 10 parameters: the smallest has",
        ),
        (("--trial", "77"), "no trained trial 77 in this study: there are trials 0 to 4"),
        (("--within", "none"), "--within none: must be more than 0 and at most 100%"),
        (("--min-acc", "95"), "--min-acc 95: must be more than 0 and at most 100%"),
        (("--best", "--within", "1%"), "got --within and --best"),
    ],
)
def test_choices_that_cannot_be_made(
    command: RunMain, options: tuple[str, ...], message: str
) -> None:
    code, out, err = command(export, *STUDY, *options, "--out", "best.yaml")
    assert code == 2 and out == "" and err.count("\n") == 1 and message in err
    assert not Path("best.yaml").exists()


def test_a_study_without_a_finished_trial_has_nothing_to_choose_from(command: RunMain) -> None:
    code, _, err = command(export, "--study-name", empty_study(), "--knee")
    assert code == 2 and "no finished trial to choose from (0 in all)" in err


def test_a_search_on_a_part_of_the_images_is_exported_with_how_many_of_how_many(
    command: RunMain,
) -> None:
    part = "200 of 1,034 training images (per_class 20)"
    code, out, _ = command(export, *STUDY, "--best", "--out", "part.yaml")
    assert code == 0 and f"trains on {part}, as the search did: --all-images" in out
    text = Path("part.yaml").read_text()
    assert f"# Searched on {part}\n" in text and TrainConfig.from_yaml(text).data.per_class == 20
    code, out, _ = command(export, *STUDY, "--best", "--all-images", "--out", "all.yaml")
    assert code == 0 and f"the search used {part}; this trains on all of them" in out
    text = Path("all.yaml").read_text()
    whole = TrainConfig.from_yaml(text).data
    assert f"# Searched on {part}; trains on all (--all-images)\n" in text
    assert (whole.per_class, whole.val_least, whole.fraction) == (None, None, 1.0)


def test_an_export_says_which_images_its_search_had(command: RunMain) -> None:
    fingerprint = study().user_attrs["provenance"]["data_fingerprint"]
    found = TrainConfig.from_yaml(command(export, *STUDY, "--best")[1]).searched_on
    names = tuple(map(str, range(10)))
    assert found == SearchedOn(source="digits", fingerprint=fingerprint, classes=10, names=names)
    every = TrainConfig.from_yaml(command(export, *STUDY, "--best", "--all-images")[1]).searched_on
    assert every == found.model_copy(update={"fingerprint": None}), "it had a part of them"


def test_a_number_of_threads_that_suits_one_machine_is_said_but_is_no_setting(
    command: RunMain,
) -> None:
    _, out, _ = command(export, *STUDY, "--best")
    assert TrainConfig.from_yaml(out).threads == 1, "as every study of the digits has"
    study().set_user_attr("threads", 2)
    _, out, _ = command(export, *STUDY, "--best")
    assert TrainConfig.from_yaml(out).threads is None
    assert "# Searched with 2 threads a worker: with --threads 2 the same machine repeats" in out
