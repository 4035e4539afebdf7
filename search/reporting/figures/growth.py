"""Hypervolume of the front against what was spent."""

import plotly.graph_objects as go
from optuna.trial import TrialState
from plotly.subplots import make_subplots

from search.problem.front import GrowingFront, hypervolume
from search.reporting.figures.style import BLUE, ORANGE, axis, dress
from search.study.attributes import SPENT
from search.study.records import TrialRecord, by_end
from search.study.snapshot import StudySnapshot


def growth(snapshot: StudySnapshot, largest: int | None = None) -> list[tuple[int, float, float]]:
    """Rows of (epochs so far, seconds of training so far, hypervolume), one after each trial that
    ended. `largest`: the size up to which hypervolume counts, that of the largest finished network
    unless given."""
    finished = snapshot.finished
    end = largest or max((record.size for record in finished), default=1)
    records = {record.number: record for record in finished}
    ended = by_end([trial for trial in snapshot.trials if trial.state.is_finished()])
    epochs, seconds, volume = 0, 0.0, 0.0
    rows, chance = [], snapshot.chance
    finds: GrowingFront[TrialRecord] = GrowingFront()
    for trial in ended:
        spent = trial.user_attrs.get(SPENT, {})
        epochs += int(spent.get("epochs", 0))
        seconds += float(spent.get("seconds", 0.0))
        record = records.get(trial.number) if trial.state == TrialState.COMPLETE else None
        if record is not None and chance.beaten_by(record.val_acc) and finds.add(record):
            volume = hypervolume(finds.points, chance.share, end)
        rows.append((epochs, seconds, volume))
    return rows


def growth_figure(snapshot: StudySnapshot) -> go.Figure:
    """Hypervolume (accuracy above chance times decades of size) against epochs and against seconds
    of training."""
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.28)
    entries = growth(snapshot)
    for row, (name, colour, column) in enumerate(
        (("epochs", BLUE, 0), ("seconds", ORANGE, 1)), start=1
    ):
        figure.add_scatter(
            x=[entry[column] for entry in entries],
            y=[round(entry[2], 5) for entry in entries],
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2},
            name=f"by {name}",
            showlegend=False,
            row=row,
            col=1,
        )
    dress(figure, "Growth of the front (hypervolume)")
    figure.update_xaxes(**axis(title="Epochs trained (number)"), row=1, col=1)
    figure.update_xaxes(**axis(title="Training time, all workers (s)"), row=2, col=1)
    figure.update_yaxes(**axis(title="Hypervolume", rangemode="tozero"))
    return figure
