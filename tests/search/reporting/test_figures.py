"""Figures of one real study."""

import json
from itertools import pairwise

from search.reporting.figures.curves import MOST_CURVES, curves_figure
from search.reporting.figures.growth import growth, growth_figure
from search.reporting.figures.pareto import claimed_percent, pareto_figure
from search.reporting.figures.spending import spending_figure
from search.study.snapshot import StudySnapshot


def test_figures_have_units_and_the_studys_own_points(snapshot: StudySnapshot) -> None:
    made = [f(snapshot) for f in (pareto_figure, curves_figure, growth_figure, spending_figure)]
    for figure in made:
        said = json.loads(figure.to_json())["layout"]
        axes = [key for key in said if key.startswith("xaxis")]
        assert axes and all("(" in said[key]["title"]["text"] for key in axes)
        assert len(figure.to_json()) < 60_000
    front = next(trace for trace in made[0].data if trace.name == "front")
    assert list(front.customdata) == [record.number for record in snapshot.front]
    assert made[0].layout.shapes[0].x0 == snapshot.max_params == 20_000
    assert len(made[1].data) == min(MOST_CURVES, len(snapshot.records))
    rows = growth(snapshot)
    assert all(a[0] <= b[0] and a[2] <= b[2] for a, b in pairwise(rows))
    assert rows[-1][0] == snapshot.ledger.spent.epochs


def test_a_claim_is_read_as_a_number() -> None:
    assert claimed_percent("58-59 %") == 58.5
    assert claimed_percent("about 55 %") == 55.0
    assert claimed_percent("not stated") is None
