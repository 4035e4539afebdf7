"""`python -m search.report`: one file about one real study."""

from pathlib import Path

from search.report import main as report
from search.study.snapshot import StudySnapshot
from tests.harness import STUDY, RunMain


def test_the_report_is_one_file_that_needs_no_network(
    storage: str, snapshot: StudySnapshot, tmp_path: Path, run_main: RunMain
) -> None:
    path = tmp_path / "report.html"
    name = (*STUDY, "--storage", storage)
    assert run_main(report, *name, "--out", path).code == 0
    text = path.read_text(encoding="utf-8")
    own = text.replace(text.split("<script>", 1)[1].split("</script>", 1)[0], "")
    assert 'src="' not in own and '<link rel="icon" href="data:,">' in own
    for record in snapshot.front:
        assert f"#{record.number}" in own and f"{record.val_acc:.2%}" in own
    for figure in ("pareto", "effects", "curves", "growth", "spending"):
        assert f'id="{figure}"' in own
    assert "58-59 %" in own and "prefers-color-scheme: dark" in own
    assert [p.name for p in tmp_path.iterdir() if "report" in p.name] == ["report.html"]
    numbers = tmp_path / "numbers"
    assert run_main(report, *name, "--csv", numbers).code == 0
    assert {p.name for p in numbers.iterdir()} == {"trials.csv", "epochs.csv", "answers.csv"}


def test_a_report_that_cannot_be_written_says_so(
    storage: str, tmp_path: Path, run_main: RunMain
) -> None:
    name = (*STUDY, "--storage", storage)
    code, _, err = run_main(report, *name, "--out", tmp_path / "no" / "r.html")
    assert code == 2 and "has no folder" in err
    code, _, err = run_main(report, *name, "--out", tmp_path)
    assert code == 2 and "is a folder" in err
