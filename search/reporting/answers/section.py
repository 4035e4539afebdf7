"""The section of the report that has the answers: what is told first, the rest folded."""

from collections.abc import Sequence

from paretrain.formatting import count_of
from search.reporting.answers.answer import Comparison
from search.reporting.answers.savings import Savings
from search.reporting.answers.study import (
    MOST_COMPARED,
    Answers,
    answers,
    command,
    total_with,
)
from search.reporting.answers.words import (
    COLUMNS,
    cost,
    in_reach,
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
    """HTML parts: sentences of what is told; folded, a figure, tables, and commands for more
    trials."""
    results = answers(snapshot)
    if not results.trials:
        return [heading("Answers"), paragraph("Cannot tell yet: no trial has ended.")]
    asked = worded(results)
    others = [comparison for comparison in results.comparisons if comparison not in asked]
    told = [comparison for comparison in results.comparisons if comparison.told]
    open_ = [comparison for comparison in asked if not comparison.told]
    parts = [heading("Answers"), bullets([*_sentences(told), *_saving_told(results)])]
    if not told:
        parts.append(paragraph(f"{count_of(results.trials, 'trial')} tell no answer yet."))
    unfolded: list[str] = [bullets(_sentences(open_))]
    if any(comparison.effect for comparison in asked):
        unfolded.append(figure_block(effects_figure(asked), "effects"))
    unfolded.append(_table(asked, "answers"))
    if results.savings:
        unfolded += _savings(results.savings, results.trials)
    unfolded += _undecided(snapshot, results, asked)
    if others:
        unfolded += [paragraph("Comparisons of other parameters:"), _table(others, "others")]
    unfolded.append(paragraph(_reading(results), note=True))
    asks = len({comparison.question.text for comparison in open_})
    what = f"{count_of(asks, 'question')} that cannot be answered yet, and " if asks else ""
    return [*parts, folded(f"{what}all numbers", unfolded)]


def _sentences(asked: Sequence[Comparison]) -> list[str]:
    """One line a question, with a sentence for each of its comparisons."""
    by_question: dict[str, list[str]] = {}
    for comparison in asked:
        by_question.setdefault(comparison.question.text, []).append(sentence(comparison))
    return [f"{text} {' '.join(sentences)}" for text, sentences in by_question.items()]


def _table(comparisons: Sequence[Comparison], name: str) -> str:
    rows = [[comparison.question.name, *row(comparison)] for comparison in comparisons]
    return table(("Of", *COLUMNS), rows, name)


def _saving_told(results: Answers) -> list[str]:
    """What saves most, where that is told."""
    savings = results.savings
    if savings is None or not savings.dearer:
        return []
    return [saving_words(savings, results.trials)]


def _savings(savings: Savings, trials: int) -> list[str]:
    first = savings.each[0].lever.name
    rows = [
        [saving.lever.name, cost(saving), "1" if saving.lever.name == first else left(saving)]
        for saving in savings.each
    ]
    columns = (
        "What makes the network smaller",
        "Accuracy points, for half the parameters",
        "Times fewer at equal accuracy, for each halving",
    )
    return [
        bullets([saving_words(savings, trials)]),
        table(columns, rows, "savings"),
        paragraph(
            "Halving the parameters in one of these ways changes the accuracy by so many points, "
            "everything else being equal. At equal accuracy: so many times fewer parameters are "
            f"left of a halving once the accuracy is bought back by undoing {first}; 1 is no gain "
            "over that, 2 is free.",
            note=True,
        ),
    ]


def _undecided(snapshot: StudySnapshot, results: Answers, asked: Sequence[Comparison]) -> list[str]:
    """The command that trains the trials that are missing, and how many each question takes, the
    fewest first. What would take too many is left out."""
    more: dict[int, list[str]] = {}
    for comparison in asked:
        if comparison.more and in_reach(comparison.more, results.trials):
            name = f"{comparison.question.name}, {named(comparison)}"
            more.setdefault(comparison.more, []).append(name)
    saving = results.savings.more if results.savings else None
    if saving and in_reach(saving, results.trials):
        more.setdefault(saving, []).append("what saves most")
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
    all_ = f" of {results.ended:,}, evenly spread over the study"
    of_all = all_ if results.trials >= MOST_COMPARED else ""
    return (
        f"From {count_of(results.trials, 'trial')}{of_all}, finished and stopped; a stopped one "
        "counts with what it was expected to reach. Each comparison holds everything else equal "
        "(docs/answers.md) and is about configurations as this study tried them. In brackets: the "
        "interval in which the truth lies in 95 of 100 such studies. Of "
        f"{count_of(intervals, 'interval')}, about {max(1, round(intervals / 20))} will miss the "
        "truth; what is certain among all is so also when all comparisons are made at once (Holm's "
        "correction). Errors times: by how much the share of wrong answers is multiplied. Left and "
        "right of a slash: what is named first, and what it is compared with. More trials: random "
        "ones (--sampler random), because the search itself tries only what is good; their number "
        "if the effect is as large as it seems now."
    )
