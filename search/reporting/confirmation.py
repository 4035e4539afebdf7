"""What repeats of a front with other seeds show: who was lucky, and whether the ranks hold."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from paretrain.metric import NAMES
from search.problem.objective import SMALLER, TITLES, Objective, shown
from search.study.records import TrialRecord
from search.study.repeats import Confirmed


def print_confirmation(
    console: Console,
    front: Sequence[TrialRecord],
    confirmed: Mapping[int, Confirmed],
    objective: Objective,
) -> None:
    """Prints a table, then sentences. `confirmed`: what repeats say, by trial number. The objective
    has a column of its own where it is not the number of parameters."""
    metric = front[0].config.metric if front else "acc"
    by = "" if metric == "acc" else f", validation {NAMES[metric]}"
    title = f"The front, trained again with other seeds{by}"
    table = Table(title=title, title_justify="left", box=None)
    own_column = [TITLES[objective]] if objective != "params" else []
    for name in ("Parameters", *own_column, "Trial", "Found", "Repeats", "Mean", "95 %", "Rank"):
        table.add_column(name, justify="right")
    table.add_column("")
    repeated = [record for record in front if record.number in confirmed]
    before, after = ranks(repeated, confirmed)
    for record in repeated:
        result = confirmed[record.number]
        interval = ""
        if result.low is not None and result.high is not None:
            interval = f"{result.low:.1%}-{result.high:.1%}"
        moved = f"{before[record.number]}"
        if after[record.number] != before[record.number]:
            moved += f" -> {after[record.number]}"
        table.add_row(
            f"{record.num_params:,}",
            *([shown(objective, record.size)] if own_column else []),
            f"#{record.number}",
            f"{record.val_acc:.2%}",
            str(result.count),
            f"{result.mean:.2%}",
            interval,
            moved,
            "lucky" if result.lucky else "",
        )
    console.print(table)
    for line in confirmation_lines(repeated, confirmed, objective):
        console.print(line, highlight=False, soft_wrap=True)


def ranks(
    front: Sequence[TrialRecord], confirmed: Mapping[int, Confirmed]
) -> tuple[dict[int, int], dict[int, int]]:
    """The rank of each trial by its own accuracy, and that by the mean of its repeats; 1 is the
    most accurate. The smaller of two equally accurate networks comes first."""
    own = sorted(front, key=lambda r: (-r.val_acc, r.size))
    mean = sorted(front, key=lambda r: (-confirmed[r.number].mean, r.size))
    return (
        {record.number: rank for rank, record in enumerate(own, start=1)},
        {record.number: rank for rank, record in enumerate(mean, start=1)},
    )


def confirmation_lines(
    front: Sequence[TrialRecord], confirmed: Mapping[int, Confirmed], objective: Objective
) -> list[str]:
    """Sentences: who was lucky, whether the ranks hold, and who would leave the front."""
    lines = []
    if lucky := [f"#{record.number}" for record in front if confirmed[record.number].lucky]:
        lines.append(f"Lucky (above what 95 % of repeats reach): {', '.join(lucky)}")
    before, after = ranks(front, confirmed)
    moved = [f"#{n} ({before[n]} -> {after[n]})" for n in before if before[n] != after[n]]
    if len(front) > 1:
        own = [record.val_acc for record in front]
        means = [confirmed[record.number].mean for record in front]
        text = f"Ranks by the means: {', '.join(moved)}" if moved else "The ranks hold"
        if len(set(means)) > 1:
            from scipy.stats import kendalltau  # slow to import

            text += f" (Kendall's tau {float(kendalltau(own, means).statistic):.2f})"
        lines.append(text)
    if beaten := _beaten(front, confirmed):
        lines.append(
            f"By the means no longer on the front, because {SMALLER[objective]} is as good: "
            f"{', '.join(beaten)}"
        )
    return lines


def _beaten(front: Sequence[TrialRecord], confirmed: Mapping[int, Confirmed]) -> list[str]:
    """The trials whose mean is not above that of every smaller one. `front`: smallest first."""
    best, beaten = -1.0, []
    for record in front:
        mean = confirmed[record.number].mean
        if mean <= best:
            beaten.append(f"#{record.number}")
        best = max(best, mean)
    return beaten
