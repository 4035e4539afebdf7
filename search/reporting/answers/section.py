"""The section of the report that has the answers."""

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
    """HTML parts: sentences, a figure, tables, and commands for more trials."""
    results = answers(snapshot)
    if not results.trials:
        return [heading("Answers"), paragraph("Cannot tell yet: no trial has ended.")]
    asked = worded(results)
    others = [comparison for comparison in results.comparisons if comparison not in asked]
    parts = [heading("Answers"), bullets(_sentences(asked))]
    if any(comparison.effect for comparison in asked):
        parts.append(figure_block(effects_figure(asked), "effects"))
    parts.append(_table(asked))
    if results.savings:
        parts += _savings(results.savings, results.trials)
    parts += _undecided(snapshot, results, asked)
    if others:
        parts.append(folded(f"{len(others)} comparisons of other parameters", [_table(others)]))
    return [*parts, paragraph(_reading(results), note=True)]


def _sentences(asked: Sequence[Comparison]) -> list[str]:
    """One line a question, with a sentence for each of its comparisons."""
    by_question: dict[str, list[str]] = {}
    for comparison in asked:
        by_question.setdefault(comparison.question.text, []).append(sentence(comparison))
    return [f"{text} {' '.join(sentences)}" for text, sentences in by_question.items()]


def _table(comparisons: Sequence[Comparison]) -> str:
    rows = [[comparison.question.name, *row(comparison)] for comparison in comparisons]
    return table(("Of", *COLUMNS), rows)


def _savings(savings: Savings, trials: int) -> list[str]:
    first = savings.each[0].lever.name
    rows = [
        [saving.lever.name, cost(saving), "1" if saving.lever.name == first else left(saving)]
        for saving in savings.each
    ]
    columns = ("Lever", "Points, of halving", "Times fewer at equal accuracy, per halving")
    return [
        bullets([saving_words(savings, trials)]),
        table(columns, rows),
        paragraph(
            "Halving the parameters by one lever changes the accuracy by so many points, "
            "everything else being equal. At equal accuracy: so many times fewer parameters are "
            f"left of a halving once the accuracy is bought back by undoing {first}; 1 is no gain "
            "over that, 2 is free.",
            note=True,
        ),
    ]


def _undecided(snapshot: StudySnapshot, results: Answers, asked: Sequence[Comparison]) -> list[str]:
    """The command that trains the trials that are missing, and how many each question takes, the
    fewest first."""
    more: dict[int, list[str]] = {}
    for comparison in asked:
        if comparison.more:
            name = f"{comparison.question.name}, {named(comparison)}"
            more.setdefault(comparison.more, []).append(name)
    if results.savings and results.savings.more:
        more.setdefault(results.savings.more, []).append("what saves most")
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


def _reading(results: Answers) -> str:
    """How to read the section."""
    intervals = sum(comparison.effect is not None for comparison in results.comparisons)
    return (
        f"From {results.trials} trials, finished and stopped; a stopped one counts with what it "
        "was expected to reach. Each comparison holds everything else equal (docs/answers.md) and "
        "is about configurations as this study tried them. Left and right of a slash: what is "
        "named first, and what it is compared with. Intervals are 95 % each: of "
        f"{intervals}, about {max(1, round(intervals / 20))} will miss the truth; what holds for "
        "all together says so (Holm). More trials: random ones (--sampler random), because the "
        "search itself tries only what is good; their number if the effect is as large as it "
        "seems now."
    )
