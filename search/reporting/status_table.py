"""The table of how studies stand, a row each."""

from optuna.trial import TrialState

from paretrain.data.names import short_name
from paretrain.metric import NAMES
from search.reporting.control_arm import control_arm
from search.study.attributes import PROVENANCE
from search.study.owner import who
from search.study.records import COUNTED
from search.study.snapshot import StudySnapshot

COLUMNS = ("Study", "State", "Trials", "Front", "Best", "Epochs", "Saved", "False\nstops")
LISTED = ("Study", "State", "Trials", "Space", "Data", "Last ended")
FOOTNOTE = (
    "Saved: epochs not trained, because trials were stopped. False stops: of the stops that the "
    "control arm checked, the wrong ones."
)


def status_row(snapshot: StudySnapshot) -> list[str]:
    """The cells of COLUMNS."""
    front, finished, ledger = snapshot.front, snapshot.finished, snapshot.ledger
    of_metric = "" if snapshot.metric == "acc" else f" {NAMES[snapshot.metric]}"
    best = f"{front[-1].val_acc:.2%}{of_metric} #{front[-1].number}" if front else "-"
    if finished and not front:
        best = "nothing learned"
    control = control_arm(snapshot.trials)
    counted = sum(trial.state in COUNTED for trial in snapshot.trials)
    still_open = sum(not trial.state.is_finished() for trial in snapshot.trials)
    failed = sum(trial.state == TrialState.FAIL for trial in snapshot.trials)
    trials = f"{counted}" + (f" +{still_open} open" if still_open else "")
    return [
        snapshot.name,
        _state(snapshot),
        trials + (f", {failed} failed" if failed else ""),
        str(len(front)),
        best,
        f"{ledger.spent.epochs:,}",
        f"{ledger.saved.epochs:,}",
        f"{control.ended_above} of {control.would_stop}" if control.would_stop else "-",
    ]


def listed_row(snapshot: StudySnapshot) -> list[str]:
    """The cells of LISTED."""
    ended = [trial.datetime_complete for trial in snapshot.trials if trial.datetime_complete]
    data = str(snapshot.attrs.get(PROVENANCE, {}).get("data", ""))
    return [
        snapshot.name,
        _state(snapshot),
        str(len(snapshot.trials)),
        str(snapshot.identity.get("space", "")) or "of another program",
        short_name(data) if data else "",
        f"{max(ended):%Y-%m-%d %H:%M}" if ended else "-",
    ]


def _state(snapshot: StudySnapshot) -> str:
    coordinators = len(snapshot.coordinators)
    return {0: "idle", 1: "running"}.get(coordinators, f"running, {coordinators} together")


def who_runs(snapshot: StudySnapshot) -> list[str]:
    """A line for each process that runs the study."""
    return [f"run by {who(last)}" for last in snapshot.coordinators]
