"""Figures of one real study."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest

from search.problem.description import DescribedBaseline, SpaceDescription
from search.reporting.figures.comparison import growths_figure
from search.reporting.figures.curves import MOST_CURVES, curves_figure
from search.reporting.figures.front_axes import APART, accuracy_axis, region_of, size_axis
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


def test_hypervolume_has_one_name_in_all_figures(snapshot: StudySnapshot) -> None:
    for figure in (growth_figure(snapshot), growths_figure([snapshot], 10_000)):
        assert figure.layout.yaxis.title.text == "Hypervolume"


def test_errors_have_a_logarithmic_scale(snapshot: StudySnapshot) -> None:
    region = region_of("params", snapshot.front, 10_000)
    assert region.error(0.9) == 10 and region.error(0.999) == pytest.approx(0.1)
    assert region.error(1.0) == 0.005  # half an image of 10,000
    wide = replace(region, errors=(0.005, 100.0))
    drawn = accuracy_axis(wide)
    places = dict(zip(drawn["ticktext"], drawn["tickvals"], strict=True))
    assert places["90"] / places["99"] == pytest.approx(places["99"] / places["99.9"])
    assert {"0", "90", "99", "99.9", "100"} <= places.keys()
    assert drawn["range"][0] > drawn["range"][1]  # the best on top


@pytest.mark.parametrize(
    "accs", [(0.962, 0.985), (0.3, 0.4), (0.9991, 1.0), (0.0, 0.0), (0.5, 1.0)]
)
def test_an_axis_has_some_ticks_and_they_do_not_touch(
    snapshot: StudySnapshot, accs: tuple[float, float]
) -> None:
    for images in (30, 400, 50_000):
        record = snapshot.front[-1]
        shown = [replace(record, curve=replace(record.curve, accs=(acc,))) for acc in accs]
        region = region_of("params", shown, images)
        for drawn in (accuracy_axis(region), size_axis("params", region)):
            ticks = [math.log10(tick) for tick in drawn["tickvals"]]
            low, high = sorted(drawn["range"])
            assert 3 <= len(ticks) <= 15 and low - 1e-3 <= min(ticks) and max(ticks) <= high + 1e-3
            assert all(b - a >= 0.9 * APART * (high - low) for a, b in pairwise(ticks))
        assert all(region.holds(record.size, record.val_acc) for record in shown)


def test_what_lies_far_off_is_an_arrow_at_the_margin_that_tells_where(
    snapshot: StudySnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"VGG19": 38_947_914, "VGG11": 28_144_010}  # on images of 32 pixels
    tried = [DescribedBaseline(name=name, num_params=n, size=n) for name, n in sizes.items()]
    monkeypatch.setattr(StudySnapshot, "baselines", lambda self: tried)
    monkeypatch.setattr(StudySnapshot, "claims_fit", True)
    figure = pareto_figure(snapshot)
    (low, high), errors = figure.layout.xaxis.range, sorted(figure.layout.yaxis.range)
    arrows = [trace for trace in figure.data if "far off" in (trace.name or "")]
    claimed = next(trace for trace in arrows if trace.name.startswith("claimed"))
    told = " ".join(claimed.text)
    assert "VGG19: 58-59 %" in told and "38,947,914 / 58.50%" in told
    for trace in arrows:
        assert all(symbol.startswith("triangle-") for symbol in trace.marker.symbol)
        assert all(low < math.log10(x) < high for x in trace.x)
        assert all(errors[0] < math.log10(y) < errors[1] for y in trace.y)
    # The front, and nothing far off, decides what is shown.
    assert high < math.log10(4 * max(snapshot.max_params or 0, snapshot.front[-1].size))


@pytest.mark.parametrize(
    ("claims_on", "shown"), [("digits", True), ("CIFAR10", False), ("", False)]
)
def test_claims_are_drawn_for_the_images_that_they_were_measured_on(
    snapshot: StudySnapshot, claims_on: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = [DescribedBaseline(name="VGG19", num_params=5_000, size=5_000)]
    about = SpaceDescription(name="s", claims={"VGG19": "58 %"}, claims_on=claims_on)
    monkeypatch.setattr(StudySnapshot, "baselines", lambda self: tried)
    monkeypatch.setattr(StudySnapshot, "description", about)
    names = [trace.name for trace in pareto_figure(snapshot).data]
    assert any((name or "").startswith("claimed") for name in names) == shown


def test_the_front_is_on_top_for_the_pointer(snapshot: StudySnapshot) -> None:
    figure = pareto_figure(snapshot)
    *_, seen, met = figure.data
    assert seen.name == "front" and seen.hoverinfo == "skip" and met.marker.opacity == 0
    assert list(met.customdata) == [record.number for record in snapshot.front]
    assert (met.x, met.y) == (seen.x, seen.y)


def test_a_claim_is_read_as_a_number() -> None:
    assert claimed_percent("58-59 %") == 58.5
    assert claimed_percent("about 55 %") == 55.0
    assert claimed_percent("not stated") is None
