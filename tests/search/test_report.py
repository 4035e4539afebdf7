"""`python -m search.report`: one file about one real study."""

import csv
import html
import io
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from search.report import main as report
from search.reporting.answers.study import answers
from search.reporting.answers.words import sentence
from search.reporting.html import table
from search.reporting.report_page import report_page
from search.reporting.text import front_table
from search.study.snapshot import StudySnapshot
from tests.harness import NAME, STUDY, RunMain


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
    front = tmp_path / "front.tex"
    done = run_main(report, *name, "--table", front)
    assert done.code == 0 and done.out == f"wrote {front}\n" and front.is_file()
    assert run_main(report, *name, "--table", tmp_path / "front.docx").code == 2


@pytest.mark.slow
def test_a_page_is_written_without_what_only_pictures_need(storage: str, tmp_path: Path) -> None:
    """It takes 40 MB."""
    code = f"""
import sys
from search import report
named = ["--storage", {storage!r}, "--study-name", {NAME!r}]
report.app([*named, "--out", {str(tmp_path / "page.html")!r}], standalone_mode=False)
sys.exit("matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").exists()


def read(page: str) -> tuple[str, str]:
    """What is seen at first, and what is folded, without scripts and marks."""
    body = re.sub(r"<script.*?</script>", "", page.split("</head>", 1)[1], flags=re.DOTALL)
    folded = "".join(re.findall(r"<details>.*?</details>", body, flags=re.DOTALL))
    seen = re.sub(r"<details>.*?</details>", "", body, flags=re.DOTALL)
    return tuple(html.unescape(re.sub(r"<.*?>", " ", part)) for part in (seen, folded))  # type: ignore[return-value]


def test_the_report_begins_with_what_was_found_and_folds_what_it_cannot_tell(
    snapshot: StudySnapshot,
) -> None:
    page = report_page(snapshot)
    best = snapshot.front[-1]
    first = re.findall(r'<p class="headline">(.*?)</p>', page)
    assert len(first) == 1 and f"{best.val_acc:.1%} of the validation images right" in first[0]
    assert page.index('headline">') < page.index("<h2>")
    seen, folded = read(page)
    told = [c for c in answers(snapshot).comparisons if c.told]
    assert seen.count("cannot tell yet") == (0 if importances_told(seen) else 1)
    assert "cannot tell yet" in folded and "What saves most" in folded
    for comparison in told:
        assert sentence(comparison) in seen
    for jargon in ("Holm", "PED-ANOVA", "Lever", "decades", "bootstrap"):
        assert jargon not in seen
    for word in ("measures its test accuracy once", "To cite", "Trained on cpu"):
        assert word in seen


def importances_told(seen: str) -> bool:
    return "For the accuracy: cannot tell yet" not in seen


def test_a_table_of_the_report_can_be_saved_and_holds_no_formula(snapshot: StudySnapshot) -> None:
    def saved(page: str, name: str) -> list[list[str]]:
        (address,) = re.findall(
            rf'download="{name}" href="data:text/csv;charset=utf-8,(.*?)"', page
        )
        return list(csv.reader(io.StringIO(unquote(html.unescape(address)))))

    rows = saved(report_page(snapshot), "front.csv")
    columns, cells = front_table(snapshot)
    assert rows == [columns, *cells]
    rows = saved(table(["a", "b"], [["=1+1", "-2.5"], ["@x", "-x"], ['"', "+3%"]], "t"), "t.csv")
    assert rows == [["a", "b"], ["'=1+1", "-2.5"], ["'@x", "'-x"], ['"', "+3%"]]


def test_a_report_that_cannot_be_written_says_so(
    storage: str, tmp_path: Path, run_main: RunMain
) -> None:
    name = (*STUDY, "--storage", storage)
    code, _, err = run_main(report, *name, "--out", tmp_path / "no" / "r.html")
    assert code == 2 and "there is no folder" in err
    code, _, err = run_main(report, *name, "--out", tmp_path)
    assert code == 2 and "is a folder" in err
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"a picture")
    code, _, err = run_main(report, *name, "--out", photo)
    assert code == 2 and "photo.jpg does not end in .html or .htm: give a name such as" in err
    assert photo.read_bytes() == b"a picture"
    for new in ("page", "report.v2", "study-0.5"):
        code, _, err = run_main(report, *name, "--out", tmp_path / new)
        assert code == 2 and f"give a name such as {tmp_path / new}.html" in err
        assert not (tmp_path / new).exists()
