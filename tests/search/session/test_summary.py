"""The end of a run, as people read it."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from rich.console import Console

from paretrain.config import DataConfig
from paretrain.data.load import load_data
from search.reporting.control_arm import control_arm
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.summary import Ending, print_front, print_summary
from search.study.snapshot import StudySnapshot
from search.study.storage_url import StorageUrl
from tests.harness import NAME


def test_commands_are_quoted_for_a_shell(
    snapshot: StudySnapshot, plan: Callable[..., Plan]
) -> None:
    named = replace(snapshot, storage=StorageUrl.of("my [red] studies.db"))
    assert [*named.options] == ["--study-name", NAME, "--storage", "my [red] studies.db"]
    written = StringIO()
    data = load_data(DataConfig(image_size=8, per_class=5))
    made = plan("vgg_reduce", storage=named.storage, study_name="my study")
    run = PreparedRun(made, data, made.constraints(data), ())
    outcome, spent = Outcome("done"), snapshot.ledger
    ending = Ending(
        snapshot.finished, outcome, {}, spent, control_arm(snapshot.trials), snapshot.chance, None
    )
    print_summary(Console(file=written, width=80), run, ending)
    lines = [line for line in written.getvalue().splitlines() if "search.confirm" in line]
    options = ["--study-name", "my study", "--storage", "my [red] studies.db"]
    assert shlex.split(lines[0])[3:] == options


def test_the_front_on_a_terminal_names_whole_networks(snapshot: StudySnapshot) -> None:
    written = StringIO()
    print_front(Console(file=written, width=50), snapshot.finished, {}, snapshot.chance)
    text = "".join(written.getvalue().split())
    for record in snapshot.front:
        assert "".join(record.words.split()) in text
