"""The answers as a section of the report."""

from collections.abc import Sequence

from search.reporting.answers.answer import Comparison
from search.reporting.answers.savings import Savings
from search.reporting.answers.study import Answers, answers, command, total_with
from search.reporting.answers.words import (
    COLUMNS,
    cost,
    left,
    named,
    row,
    saving_words,
    sentence,
    worded,
)
from search.reporting.figures.effects import effects_figure
from search.reporting.html import bullets, commands, figure_block, folded, heading, paragraph, table
from search.study.snapshot import StudySnapshot


def answers_section(snapshot: StudySnapshot) -> list[str]:
    """Sentences, commands, a figure, and the numbers."""
    found = answers(snapshot)
    if not found.trials:
        return [heading("Answers"), paragraph("Cannot tell yet: no trial has ended.")]
    asked = worded(found)
    others = [one for one in found.comparisons if one not in asked]
    parts = [heading("Answers"), bullets(_sentences(asked))]
    if any(one.effect for one in asked):
        parts.append(figure_block(effects_figure(asked), "effects"))
    parts.append(_table(asked))
    if found.savings:
        parts += _savings(found.savings, found.trials)
    parts += _undecided(snapshot, found, asked)
    if others:
        parts.append(folded(f"{len(others)} comparisons of other parameters", [_table(others)]))
    return [*parts, paragraph(_reading(found), note=True)]


def _sentences(asked: Sequence[Comparison]) -> list[str]:
    """One a question."""
    texts: dict[str, list[str]] = {}
    for one in asked:
        texts.setdefault(one.question.text, []).append(sentence(one))
    return [f"{text} {' '.join(said)}" for text, said in texts.items()]


def _table(found: Sequence[Comparison]) -> str:
    return table(("Of", *COLUMNS), [[one.question.name, *row(one)] for one in found])


def _savings(found: Savings, trials: int) -> list[str]:
    first = found.each[0].lever.name
    rows = [
        [saving.lever.name, cost(saving), "1" if at == 0 else left(saving)]
        for at, saving in enumerate(found.each)
    ]
    columns = ("Lever", "Points, of halving", "Times fewer at equal accuracy, per halving")
    return [
        bullets([saving_words(found, trials)]),
        table(columns, rows),
        paragraph(
            "Halving the parameters by one lever changes the accuracy by so many points, "
            "everything else being equal. At equal accuracy: so many times fewer parameters are "
            f"left of a halving once the accuracy is bought back by undoing {first}; 1 is no gain "
            "over that, 2 is free.",
            note=True,
        ),
    ]


def _undecided(snapshot: StudySnapshot, found: Answers, asked: Sequence[Comparison]) -> list[str]:
    """The command that trains the trials that are missing, and how many each question takes, the
    fewest first."""
    more: dict[int, list[str]] = {}
    for one in asked:
        if one.more:
            more.setdefault(one.more, []).append(f"{one.question.name}, {named(one)}")
    if found.savings and found.savings.more:
        more.setdefault(found.savings.more, []).append("what saves most")
    if not more:
        return []
    rows = [
        [str(total_with(snapshot, count)), f"about {count:,}", "; ".join(names)]
        for count, names in sorted(more.items())
    ]
    return [
        paragraph("To tell what cannot be told yet, with --trials from the table:"),
        commands([command(snapshot, min(more))]),
        table(("--trials", "More trials", "To tell"), rows),
    ]


def _reading(found: Answers) -> str:
    told = sum(one.effect is not None for one in found.comparisons)
    return (
        f"From {found.trials} trials, finished and stopped; a stopped one counts with what it was "
        "expected to reach. Each comparison holds everything else equal (docs/answers.md) and is "
        "about configurations as this study tried them. Left and right of a slash: what is named "
        "first, and what it is compared with. Intervals are 95 % each: of "
        f"{told}, about {max(1, round(told / 20))} will miss the truth; what holds for all "
        "together says so (Holm). More trials: random ones (--sampler random), because the search "
        "itself tries only what is good; their number if the effect is as large as it seems now."
    )
