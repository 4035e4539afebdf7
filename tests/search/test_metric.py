"""`--metric` in a whole search, and in every command that comes after it."""

import json
from pathlib import Path
from typing import get_args

import pytest

from paretrain.config import Metric, TrainConfig
from search.compare import main as compare
from search.confirm import main as confirm
from search.explain import main as explain
from search.export import main as export
from search.frames import epochs_frame, trials_frame
from search.problem import option_words
from search.report import main as report
from search.reporting.notes import TrialNotes, study_note
from search.status import main as status
from search.study.metric import metric_of, stored_name
from search.study.repeats import read_repeats
from search.study.snapshot import read_snapshot
from search.table import main as table
from tests.harness import SMALL, STUDY, RunMain, finished_trials, study
from tests.makers import mixed_study

OTHER = ("--metric", "macro_f1")


def test_the_option_takes_what_a_configuration_takes() -> None:
    assert get_args(option_words.Metric) == get_args(Metric)
    for metric in get_args(Metric):
        assert (
            metric_of({"objectives": [f"{stored_name(metric)} maximize", "x minimize"]}) == metric
        )
    assert metric_of({}) == metric_of({"objectives": ["values_0 maximize"]}) == "acc"


@pytest.mark.slow
def test_a_search_by_another_metric_and_what_commands_say_of_it(
    search: RunMain, run_main: RunMain
) -> None:
    small = (*SMALL, "--trials", 3, "--baselines", "none", "--pruner", "none")
    done = search(*small, *OTHER, "--json")
    assert done.code == 0, done.err
    stored = study()
    assert stored.metric_names == ["val_macro_f1", "params"]
    for trial in stored.get_trials(deepcopy=False):
        curve = trial.user_attrs["curve"]
        assert trial.values[0] == curve["val_score"][-1] != curve["val_acc"][-1]
    front = done.events[-1]["front"]
    records = {record.number: record for record in finished_trials()}
    assert front and all(
        point["val_macro_f1"] == records[point["trial"]].val_acc for point in front
    )
    assert done.events[-1]["chance"] == {"val_macro_f1": pytest.approx(0.1), "answer": None}
    # Going on keeps it, and another one is refused.
    code, _, err = search(*small, "--trials", 3)
    assert code == 0 and "--metric macro_f1 (as the study has it)" in err
    code, _, err = search(*small, "--metric", "acc")
    assert code == 2 and "metric (study: macro_f1, now: acc)" in err
    best = max(front, key=lambda point: float(point["val_macro_f1"]))
    shown = f"{best['val_macro_f1']:.2%}"
    code, out, _ = run_main(status)
    assert f"{shown} macro F1" in " ".join(out.split())
    code, out, err = run_main(export, *STUDY, "--best", "--out", "best.yaml")
    assert code == 0 and f"{shown} validation macro F1" in out
    text = Path("best.yaml").read_text()
    assert TrainConfig.from_yaml(text).metric == "macro_f1" and "validation macro F1 0." in text
    code, out, _ = run_main(explain, *STUDY, "--trial", best["trial"])
    assert code == 0 and "macro F1" in out
    code, out, _ = run_main(report, *STUDY, "--out", "report.html")
    page = Path("report.html").read_text()
    assert code == 0 and "Validation macro F1 (%)" in page and "Val. macro F1" in page
    assert "Validation accuracy (%)" not in page
    snapshot = read_snapshot("studies.db", STUDY[1])
    assert "Val. macro F1" in study_note(snapshot, "")
    assert f"{shown} macro F1 on the validation images" in TrialNotes(snapshot)(
        snapshot.trials[best["trial"]]
    )
    trials, epochs = trials_frame(stored), epochs_frame(stored)
    assert list(trials["val_macro_f1"]) == [r.val_acc for r in records.values()]
    assert list(trials["val_acc"]) == [c["val_acc"].iloc[-1] for _, c in epochs.groupby("trial")]
    mixed_study("studies.db", "plain", snapshot.identity["data"])
    code, _, err = run_main(compare, STUDY[1], "plain")
    assert code == 2 and "cannot be compared" in err
    code, out, _ = run_main(confirm, *STUDY, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "validation macro F1" in out
    assert {len(of) for of in read_repeats(study()).values()} == {2}


@pytest.mark.slow
def test_tables_and_comparisons_name_the_metric(here: Path, run_main: RunMain) -> None:
    for name in ("one", "two"):
        mixed_study("studies.db", name, metric="macro_f1")
    code, out, err = run_main(compare, "one", "two", "--out", "both.html")
    assert code == 0, err
    assert "Best validation macro F1" in out and "90.00%*" in out
    page = Path("both.html").read_text()
    assert "Validation macro F1 (%)" in page and "alidation accuracy" not in page
    code, out, err = run_main(table, "--study-name", "one")
    assert code == 0 and "Measured here is the macro F1, claims are accuracies" in out, err
    code, out, err = run_main(export, "--study-name", "one", "--within", "25%", "--out", "b.yaml")
    assert code == 0 and "70.00% validation macro F1" in out, err
    code, out, err = run_main(report, "--study-name", "one", "--table", "front.md")
    assert code == 0, err
    assert "macro F1" in Path("front.md").read_text()


def test_top5_of_five_classes_is_refused_before_anything_is_made(
    search: RunMain, image_folder: RunMain
) -> None:
    root = image_folder(classes=list("abcde"))
    code, _, err = search("--data", root, "--image-size", 8, "--metric", "top5")
    assert code == 2 and not Path("studies.db").exists()
    assert "--metric top5" in err and "needs 6 classes or more, these images have 5" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_full_training_reports_its_metric(
    run_main: RunMain, here: Path, tiny_config: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretrain.__main__ import main as train

    assert callable(tiny_config)
    monkeypatch.setattr("paretrain.result.formats.can_write_onnx", lambda: False)
    for metric, words in (("macro_f1", "macro F1"), ("top5", "top-5 accuracy")):
        Path("tiny.yaml").write_text(tiny_config(metric=metric, threads=1).to_yaml())
        out = Path("runs") / metric
        code, said, err = run_main(train, "tiny.yaml", "--out", out, "--device", "cpu")
        assert code == 0, err
        found = json.loads((out / "metrics.json").read_text())
        assert found["metric"] == metric
        assert (
            f"validation {words} {found['val_score']:.2%}, accuracy {found['val_acc']:.2%}" in said
        )
        assert f"test {words} {found['test']['score']:.2%}, accuracy" in said
        card = (out / "README.md").read_text()
        assert f"**test {words} {found['test']['score']:.2%}**" in card
        assert "val_score" in (out / "curve.csv").read_text().splitlines()[0]
