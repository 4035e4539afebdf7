"""The replay of stopping rules on recorded curves: definitions, fairness, wrong input."""

import dataclasses
import gzip
import json
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.replay.__main__ import main
from benchmarks.replay.features import described, features
from benchmarks.replay.front import Front
from benchmarks.replay.lineup import NAMES, maker
from benchmarks.replay.report import results, share_at
from benchmarks.replay.rivals import MoAsha, OptunaHub, Unavailable, mo_asha_ranks
from benchmarks.replay.rules import GO, STOP, Asha, LastValue, Median, OneEpoch
from benchmarks.replay.rules import non_dominated_ranks as ranks
from benchmarks.replay.selections import ByModel, BySize, Draws, RandomOrder, Selection
from benchmarks.replay.simulation import Trace, simulate
from benchmarks.replay.stress import stressed
from benchmarks.replay.tables import Table, make_row, make_table, read_table
from search.problem.front import hypervolume
from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.pruners import make_rule
from search.stopping.rule import Decision, DivergenceRule, View
from tests.harness import ROOT, Finished, RunMain, run_process
from tests.makers import Net

EPOCHS = 6
OWN = "none,median,asha,last-q95,one-epoch,ours"


def rising(final: float, epochs: int = EPOCHS) -> list[float]:
    return [round(0.1 + (final - 0.1) * epoch / epochs, 5) for epoch in range(1, epochs + 1)]


def made_up(count: int = 40) -> list[dict[str, Any]]:
    rng = random.Random(1)
    rows = []
    for _ in range(count):
        size = round(10 ** rng.uniform(3, 5))
        final = 0.15 * math.log10(size) + rng.uniform(-0.2, 0.1)
        config = {"lr": rng.uniform(0, 1), "norm": rng.choice(["batch", "none"]), "deep": True}
        rows.append({"params": size, "val_acc": rising(final), "config": config, "seed": 3})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def table(*points: tuple[int, float], chance: float = 0.1) -> Table:
    rows = [make_row(size, tuple(rising(acc)), {}, chance) for size, acc in points]
    return make_table("made-up", tuple(rows), chance)


@dataclass
class Scripted:
    """Stops networks of these sizes after their first epoch, and remembers what it was shown."""

    sizes: set[int] = field(default_factory=set)
    seen: list[tuple[Curve, View]] = field(default_factory=list)

    def decide(self, trial: Curve, view: View) -> Decision:
        self.seen.append((trial, view))
        return STOP if trial.size in self.sizes else GO


@dataclass
class InTurn:
    """Gives the rows one after the other."""

    rows: Table

    def choose(
        self, order: int, started: int, ended: object, front: object, running: object = ()
    ) -> Any:
        return self.rows.rows[started % len(self.rows.rows)]


def play(rows: Table, rule: Any, trainings: int, workers: int = 1) -> Trace:
    return simulate(rows, rule, InTurn(rows), 0, trainings * rows.epochs, workers)


@pytest.fixture
def command(run_main: RunMain) -> RunMain:
    """Runs `python -m benchmarks.replay`."""
    return partial(run_main, main)


def test_hypervolume_by_hand() -> None:
    """Above chance 0.1, up to 1000 parameters: 0.4 x 1 decade + 0.6 x 1 decade."""
    three = table((10, 0.5), (100, 0.7), (1000, 0.6))
    assert three.volume == pytest.approx(1.0)
    trace = play(three, DivergenceRule(), 3)
    shares = [share_at(trace, three, training * EPOCHS) for training in range(4)]
    assert shares == pytest.approx([0, 0.8, 1.0, 1.0])
    assert share_at(trace, three, EPOCHS - 1) == 0, "only completed trials count"


nets = st.lists(st.builds(Net, st.integers(1, 50), st.integers(0, 20).map(lambda n: n / 20)))


@settings(derandomize=True)
@given(nets, st.integers(1, 60))
def test_a_growing_front_is_that_of_the_whole_list(points: list[Net], size: int) -> None:
    front = Front(0.1, 50)
    for net in points:
        before = front.best_at_size(net.size)
        assert front.add(net.size, net.val_acc) == (net.val_acc > before)
    assert front.volume == pytest.approx(hypervolume(points, 0.1, 50))
    best = max([0.1, *(net.val_acc for net in points if net.size <= size)])
    assert front.best_at_size(size) == best


def test_epochs_of_stopped_trials_are_charged() -> None:
    two = table((10, 0.5), (100, 0.7))
    trace = play(two, Scripted({10}), 3)
    assert [ending.spent for ending in trace.endings] == [1, 7, 8, 14, 15]
    assert [ending.completed for ending in trace.endings] == [False, True, False, True, False]
    assert play(two, Scripted({10, 100}), 3).decisions == 3 * EPOCHS


def test_the_rule_is_asked_after_every_epoch_but_the_last() -> None:
    rule = Scripted()
    play(table((10, 0.5), (100, 0.7)), rule, 2)
    assert [len(trial.accs) for trial, _ in rule.seen] == [1, 2, 3, 4, 5] * 2
    _, view = rule.seen[-1]
    assert [curve.size for curve in view.finished] == [10]
    assert (view.epochs, view.chance, view.largest) == (EPOCHS, 0.1, 100)


def test_workers_advance_in_turn_and_see_each_other() -> None:
    rule = Scripted({30})
    trace = play(table((10, 0.5), (20, 0.6), (30, 0.7)), rule, 3, workers=2)
    assert [ending.spent for ending in trace.endings] == [11, 12, 13]
    trial, view = rule.seen[1]
    assert trial.size == 20
    assert [(other.size, len(other.accs)) for other in view.running] == [(10, 1)]
    assert [curve.size for curve in rule.seen[-1][1].stopped][:1] == [30]


@pytest.mark.parametrize("select", [RandomOrder, lambda draws: BySize(draws, big())])
def test_all_rules_see_the_same_orders(select: Callable[[Draws], Selection]) -> None:
    """A rule that stops early gets further along the same draws."""
    rows = big()
    draws = Draws(rows)
    patient, hasty = Scripted(), Scripted({row.num_params for row in rows.rows})
    for order in (0, 1):
        simulate(rows, patient, RandomOrder(draws), order, 5 * EPOCHS, 1)
        simulate(rows, hasty, RandomOrder(draws), order, 5 * EPOCHS, 1)
    assert draws.candidates(0, 2) != draws.candidates(1, 2)
    started = [
        [trial.size for trial, _ in rule.seen if len(trial.accs) == 1] for rule in (patient, hasty)
    ]
    assert len(started[0]) == 10 and len(started[1]) == 60
    assert started[0][:5] == started[1][:5]
    assert started[0][5:] == started[1][30:35]
    chosen = select(draws).choose(0, 7, [], Front(0.1, 10**5))
    assert chosen in draws.candidates(0, 7)


def big() -> Table:
    rows = [make_row(row["params"], tuple(row["val_acc"]), row["config"], 0.1) for row in made_up()]
    return make_table("big", tuple(rows), 0.1)


def learnable() -> Table:
    """Networks whose accuracy is decided by their settings more than by their size."""
    rng, rows = random.Random(2), []
    for _ in range(100):
        size, lr, norm = round(10 ** rng.uniform(3, 5)), rng.random(), rng.choice(["batch", "none"])
        final = 0.1 * math.log10(size) + 0.1 * (norm == "batch") + 0.2 * (1 - abs(lr - 0.7))
        accs = tuple(rising(final + rng.uniform(-0.05, 0.05)))
        rows.append(make_row(size, accs, {"lr": lr, "norm": norm, "deep": True}, 0.1))
    return make_table("learnable", tuple(rows), 0.1)


@pytest.mark.slow
def test_a_choice_by_size_beats_random_order_and_one_by_model_both() -> None:
    rows = learnable()
    draws = Draws(rows)

    def mean(selection: Selection, trainings: int) -> float:
        epochs = trainings * EPOCHS
        traces = [simulate(rows, DivergenceRule(), selection, o, epochs, 1) for o in range(6)]
        return sum(share_at(trace, rows, epochs) for trace in traces) / 6

    assert mean(BySize(draws, rows), 8) > mean(RandomOrder(draws), 8) + 0.02
    # The first eight trainings are chosen by size alone.
    by_model = mean(ByModel(draws, rows), 16)
    assert by_model > mean(RandomOrder(draws), 16) + 0.03
    assert by_model > mean(BySize(draws, rows), 16) + 0.01


def test_false_stops_by_hand() -> None:
    """10 completes and is worthy; 20 would have been, but is stopped; 30 is stopped rightly."""
    three = table((10, 0.5), (20, 0.6), (30, 0.4))
    trace = play(three, Scripted({20, 30}), 1)
    trace.endings += play(three, Scripted({20, 30}), 3).endings[1:3]
    (line,) = results(three, "random", "x", [trace], [3], target=0.5)
    assert line.false_stop == pytest.approx(0.5)
    assert line.lost == pytest.approx(0.5)
    assert line.slow_share is None
    assert line.hv_se is None
    (line,) = results(three, "random", "x", [trace], [3], target=1.0)
    assert line.epochs_to_target is None


def test_what_a_later_trial_makes_up_for_is_not_lost() -> None:
    """20 would have been on the front when it was stopped, but 10 is smaller and ends higher."""
    three = table((10, 0.7), (20, 0.6), (5, 0.2))
    rule = Scripted({20, 5})
    trace = play(three, rule, 3)
    (line,) = results(three, "random", "x", [trace], [3], target=0.5)
    stopped = [ending.row.num_params for ending in trace.endings if not ending.completed]
    assert {20, 5} <= set(stopped)
    assert line.lost == pytest.approx(stopped.count(5) / len(stopped))


def test_target_is_counted_in_full_trainings() -> None:
    three = table((10, 0.5), (100, 0.7), (1000, 0.6))
    trace = play(three, DivergenceRule(), 3)
    (line,) = results(three, "random", "none", [trace], [3], target=0.9)
    assert line.epochs_to_target == 2


def test_slow_starters_and_their_share() -> None:
    late = make_row(50, (0.1, 0.12, 0.12, 0.3, 0.4, 0.6), {}, 0.1)
    soon = make_row(60, tuple(rising(0.7)), {}, 0.1)
    never = make_row(70, (0.1, 0.12, 0.1, 0.1, 0.1, 0.11), {}, 0.1)
    assert late.slow and not soon.slow and not never.slow
    assert late.one_class == (True, False, False, False, False, False)
    # One class of unequal ones has another share of the images; and whoever has learned may forget.
    assert sum(make_row(50, (0.08, 0.08, 0.12, 0.3), {}, 0.1, 2).one_class) == 2
    assert sum(make_row(50, (0.1, 0.12, 0.2, 0.3), {}, 0.1, 0).one_class) == 0
    assert sum(make_row(50, (0.1, 0.2, 0.1, 0.3), {}, 0.1, 2).one_class) == 1
    both = make_table("both", (late, soon), 0.1)
    trace = play(both, DivergenceRule(), 4)
    (line,) = results(both, "random", "none", [trace], [4], target=1.0)
    assert line.slow_share == 0.5


def test_stress_holds_a_third_at_chance_and_keeps_where_they_end() -> None:
    rows = [make_row(10 + i, tuple(rising(0.5 + 0.001 * i, 50)), {}, 0.1) for i in range(100)]
    calm = make_table("calm", tuple(rows), 0.1)
    copy = stressed(calm)
    assert copy.name == "calm+stress"
    assert [row.val_acc for row in copy.rows] == [row.val_acc for row in calm.rows]
    assert sum(row.slow for row in copy.rows) == 30
    for row in copy.rows:
        assert len(row.accs) == 50
        if row.slow:
            held = sum(row.one_class)
            assert 11 <= held <= 39
            assert all(a < b for a, b in zip(row.accs[held:], row.accs[held + 1 :], strict=False))
    assert stressed(calm) == copy


def test_config_becomes_numbers_and_categories() -> None:
    net = "[C(64,3,1), C(128,5,2), D(1,3), P(2,2), FC(256), GAP(10), SM(10)]"
    found = features({"lr": 1, "bn": True, "widths": [4, 8], "name": "a", "net": net, "no": {}})
    assert found["lr"] == 1.0 and found["bn"] == "True" and found["name"] == "a"
    assert found["widths"] == "[4, 8]" and found["widths length"] == 2
    assert "no" not in found
    assert found["net convs"] == 2 and found["net dense"] == 1 and found["net pools"] == 1
    assert found["net gap"] == 1 and found["net dropouts"] == 1 and found["net units"] == 256
    assert found["net first filters"] == 64 and found["net last filters"] == 128
    assert found["net mean kernel"] == 4 and found["net stride"] == 2
    rows = [
        make_row(10, (0.2, 0.3), {"name": f"n{i}", "mixed": [1, "a"][i % 2]}, 0.1)
        for i in range(60)
    ]
    assert all(one == {} for one, _ in described(rows)), "names and mixtures say nothing"


def shown(rule: Any, *accs: float, number: int = 0, size: int = 10, after: Any = ()) -> bool:
    curve = Curve(number, size, accs, (False,) * len(accs))
    return bool(rule.decide(curve, View(9, 0.1, 1000, after)).stop)


def whole(number: int, size: int, final: float) -> Curve:
    return Curve(number, size, tuple(rising(final, 9)), (False,) * 9)


def test_median_stops_the_lower_half() -> None:
    after = [whole(i, 10, 0.5 + 0.1 * i) for i in range(5)]  # at epoch 3: median 0.3
    assert not shown(Median(), 0.1, 0.1, 0.1, after=after[:4]), "too few"
    assert shown(Median(), 0.1, 0.2, 0.29, after=after)
    assert not shown(Median(), 0.1, 0.31, 0.2, after=after)


def test_asha_lets_the_best_third_of_a_rung_go_on() -> None:
    rule = Asha()
    assert [shown(rule, acc, number=i) for i, acc in enumerate((0.5, 0.4, 0.3, 0.6, 0.2))] == [
        *(False, False, True, False, True)
    ]
    assert not shown(rule, 0.2, 0.1, number=0), "no rung"


def test_last_value_adds_the_usual_gain() -> None:
    after = [whole(i, 10, 0.5) for i in range(5)]
    gain = after[0].val_acc - after[0].accs[2]
    assert shown(LastValue(), 0.1, 0.1, 0.49 - gain, after=after)
    assert not shown(LastValue(), 0.1, 0.1, 0.51 - gain, after=after)
    assert not shown(LastValue(), 0.1, 0.1, 0.1, size=9, after=after), "nothing as small"


def test_one_epoch_takes_the_best_fifth_of_both() -> None:
    rule = OneEpoch()
    first = [shown(rule, 0.5 + 0.01 * i, number=i, size=10 + i) for i in range(10)]
    assert not any(first), "none beats another"
    assert shown(rule, 0.4, number=10, size=20)
    assert not shown(rule, 0.4, 0.4, number=10, size=20), "decides once"
    assert not shown(rule, 0.9, number=11, size=10)


def test_the_oracle_trains_only_what_raises_the_front() -> None:
    rows = table((10, 0.5), (20, 0.45), (30, 0.8), (40, 0.5))
    trace = play(rows, maker("oracle", None)(EPOCHS, rows.rows), 3)
    assert [ending.spent for ending in trace.endings[:4]] == [6, 7, 13, 14]
    assert [ending.completed for ending in trace.endings[:4]] == [True, False, True, False]
    assert trace.endings[3].volume == pytest.approx(rows.volume)


points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)


@settings(derandomize=True)
@given(points)
def test_ranks_peel_front_after_front(given_points: list[tuple[int, int]]) -> None:
    found = ranks(given_points)
    left = list(range(len(given_points)))
    for rank in range(max(found) + 1):
        front = [
            i
            for i in left
            if not any(
                given_points[j] != given_points[i]
                and given_points[j][0] <= given_points[i][0]
                and given_points[j][1] <= given_points[i][1]
                for j in left
            )
        ]
        assert [i for i in left if found[i] == rank] == front
        left = [i for i in left if i not in front]
    assert not left


SETTING = dataclasses.fields(FrontRule)[0].name
"""Any number that the rule can be told."""


def test_ours_is_the_production_rule_and_its_settings_can_be_changed() -> None:
    assert maker("ours", None)(EPOCHS, ()) == make_rule("front")
    for name, value in (("", 0), ("=0.5", 0.5)):
        rule = maker(f"ours-{SETTING.replace('_', '-')}{name}", None)(EPOCHS, ())
        setting: Any = {SETTING: value}
        assert rule == dataclasses.replace(FrontRule(), **setting)
        assert rule != make_rule("front")


def test_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The submodule too: an earlier test may have imported it.
    for module in ("syne_tune", "syne_tune.backend.trial_status", "optunahub"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unavailable, match=r"pip install 'paretrain\[bench\]'"):
        MoAsha(9, 1)
    with pytest.raises(Unavailable, match=r"pip install 'paretrain\[bench\]'"):
        OptunaHub(tmp_path)


@pytest.mark.bench
def test_mo_asha_gets_ranks_and_as_is_an_order() -> None:
    for as_is in (False, True):
        rule = MoAsha(9, 1, as_is=as_is)
        assert not shown(rule, 0.5, number=0, size=10)
        for number in (1, 2):
            assert shown(rule, 0.5 - 0.1 * number, number=number, size=10 + number)
        assert shown(rule, 0.9, number=3, size=5) == as_is, "it beats all others"


@pytest.mark.bench
@settings(derandomize=True, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30))
def test_mo_asha_reads_the_same_from_short_ranks_as_from_whole_ones(
    given_points: list[tuple[int, int]],
) -> None:
    from syne_tune.optimizer.schedulers.multiobjective import non_dominated_priority as sorting

    array = np.array(given_points, dtype=np.float64)
    fronts = np.array(ranks(given_points))
    whole_ranks = np.zeros(len(array))
    for front in range(int(fronts.max()) + 1):
        mine = fronts == front
        order = sorting.compute_epsilon_net(array[mine], dim=0)
        whole_ranks[mine] = (fronts < front).sum() + order

    def stops(all_ranks: np.ndarray[Any, Any]) -> bool:
        """As in syne_tune.optimizer.schedulers.asha.Bracket."""
        return bool((all_ranks < all_ranks[-1]).sum() / len(all_ranks) > 1 / 3)

    assert stops(mo_asha_ranks(array)) == stops(whole_ranks)


@pytest.mark.bench
def test_optunahub_without_its_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="--optunahub-registry"):
        OptunaHub(tmp_path)


def test_json_has_a_line_for_every_table_selection_budget_and_rule(
    tmp_path: Path, command: RunMain
) -> None:
    write(tmp_path / "one.jsonl", made_up())
    packed = tmp_path / "two.jsonl.gz"
    packed.write_bytes(gzip.compress(write(tmp_path / "two", made_up(20)).read_bytes()))
    options = ("--budgets", "8,4", "--orders", 2, "--json")
    code, out, err = command(tmp_path / "one.jsonl", packed, "--rules", OWN, *options)
    assert code == 0
    lines = json.loads(out)
    assert {tuple(line) for line in lines} == {
        (
            *("table", "select", "budget", "rule", "hv_mean", "hv_se", "epochs_to_target"),
            *("false_stop", "lost", "slow_share", "ms_per_decision"),
        )
    }
    assert len(lines) == 2 * 2 * 2 * 6
    assert {line["table"] for line in lines} == {"one", "two"}
    assert [line["budget"] for line in lines[:2]] == [4, 8]
    for line in lines:
        assert 0 <= line["hv_mean"] <= 1
        assert line["slow_share"] is None
        if line["rule"] == "none":
            assert line["false_stop"] == 0
    assert any(line["false_stop"] for line in lines)
    assert "one, size, ours" in err

    again = command(tmp_path / "one.jsonl", "--rules", "ours,none", *options)[1]
    untimed = [
        {key: value for key, value in line.items() if key != "ms_per_decision"}
        for line in (*lines, *json.loads(again))
    ]
    for line in untimed[48:]:
        assert untimed.count(line) == 2, "a rule's numbers do not depend on the others'"


def test_the_table_is_markdown_and_fits_the_screen(tmp_path: Path, command: RunMain) -> None:
    file = write(tmp_path / "curves.jsonl", made_up())
    code, out, _ = command(file, "--rules", "none,ours", "--orders", 2, "--stress")
    assert code == 0
    titles = [line for line in out.splitlines() if line.startswith("#")]
    assert titles == [
        *("### curves, random", "### curves, size"),
        *("### curves+stress, random", "### curves+stress, size"),
    ]
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 4 * 4
    assert max(map(len, rows)) <= 100
    assert all(line.count("|") == 10 for line in rows)


def test_files_of_one_name_keep_apart(tmp_path: Path, command: RunMain) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "curves.jsonl", made_up(10))
    files = [tmp_path / name / "curves.jsonl" for name in ("a", "b")]
    out = command(*files, "--rules", "none", "--budgets", 3, "--orders", 1, "--json")[1]
    assert {line["table"] for line in json.loads(out)} == {str(file) for file in files}


GOOD = '{"params": 10, "val_acc": [0.2, 0.3]}\n{"params": 90, "val_acc": [0.2, 0.4]}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no curves: give one JSON object a line"),
        ("\n\n", "has no curves"),
        (GOOD + "{params\n", "line 3: no JSON"),
        (GOOD + "[1]\n", "line 3: got [1]: give an object"),
        (GOOD + '{"val_acc": [0.2, 0.3]}', "line 3: 'params' is None: give an integer"),
        (GOOD + '{"params": 1.5, "val_acc": [0.2, 0.3]}', "line 3: 'params' is 1.5"),
        (
            GOOD + '{"params": 1, "val_acc": [0.2, 0.3], "one_class": 3}',
            "one_class' is 3: give a number of epochs, 0 to 2, or leave it out",
        ),
        (GOOD + '{"params": 5, "val_acc": 0.2}', "line 3: 'val_acc' is 0.2: give a list"),
        (GOOD + '{"params": 5, "val_acc": [0.2, 71]}', "line 3: 'val_acc' has 71: give accur"),
        (GOOD + '{"params": 5, "val_acc": [0.2, NaN]}', "line 3: 'val_acc' has nan"),
        (GOOD + '{"params": 5, "val_acc": [0.2, 0.3, 0.3]}', "has 3 epochs, the lines before"),
        (GOOD + '{"params": 5, "val_acc": [0.2, 0.3], "config": 3}', "line 3: 'config' is 3"),
        ('{"params": 10, "val_acc": [0.2, 0.05]}', "ends above --chance 0.1: lower it"),
    ],
)
def test_broken_tables_are_refused_with_the_line(
    text: str, message: str, tmp_path: Path, command: RunMain
) -> None:
    file = tmp_path / "curves.jsonl"
    file.write_text(text)
    assert_refused(command(file), message)


def assert_refused(ended: Finished, message: str) -> None:
    code, out, err = ended
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rules", "medain"], "did you mean 'median'"),
        (["--rules", ","], "--rules ',' is empty: give some of none"),
        (["--rules", "ours-speed"], "no setting 'speed': give one of "),
        (["--rules", f"ours-{SETTING}=soon"], f"'soon' is no value for '{SETTING}': give one such"),
        (["--select", "sizes"], "did you mean 'size'"),
        (["--budgets", "10,x"], "--budgets 10,x: give integers from 1 to 1000"),
        (["--budgets", "0"], "--budgets 0"),
        (["--orders", "0"], "--orders"),
        (["--chance", "1"], "--chance"),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], message: str, tmp_path: Path, command: RunMain
) -> None:
    (tmp_path / "curves.jsonl").write_text(GOOD)
    assert_refused(command(tmp_path / "curves.jsonl", *options), message)


def test_files_that_are_none_are_refused(tmp_path: Path, command: RunMain) -> None:
    assert_refused(command(tmp_path / "nowhere.gz"), "No such file or directory")
    assert_refused(command(tmp_path), "has no curves")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(GOOD.encode())[:-9])
    assert_refused(command(tmp_path / "cut.gz"), "cut.gz (Compressed file ended")
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    assert_refused(command(tmp_path / "picture"), "give a file of JSON lines, plain or gzip")


@pytest.mark.slow
def test_the_command_runs_as_a_module_and_says_what_is_left_out(tmp_path: Path) -> None:
    file = write(tmp_path / "curves.jsonl", made_up(12))
    done = run_process(
        ROOT,
        "benchmarks.replay",
        *(file, "--orders", 1, "--budgets", 3, "--select", "random"),
        *("--optunahub-registry", tmp_path),
    )
    assert done.code == 0, done.err
    assert "optunahub is left out" in done.err
    for name in set(NAMES) - {"optunahub", "mo-asha-1", "mo-asha-20"}:
        assert f"| {name} " in done.out


def test_a_table_keeps_what_the_file_says(tmp_path: Path) -> None:
    rows = made_up(5)
    read = read_table(write(tmp_path / "curves.v2.jsonl", rows), 0.1)
    assert read.name == "curves"
    assert [row.num_params for row in read.rows] == [row["params"] for row in rows]
    assert [list(row.accs) for row in read.rows] == [row["val_acc"] for row in rows]
    assert read.epochs == EPOCHS
    assert read.largest == max(row["params"] for row in rows)


def test_a_folder_is_one_table_of_all_its_files(tmp_path: Path) -> None:
    rows = made_up()
    folder = tmp_path / "parts"
    folder.mkdir()
    write(folder / "part-00.jsonl", rows[:5])
    packed = write(tmp_path / "rest", rows[5:]).read_bytes()
    (folder / "part-01.jsonl.gz").write_bytes(gzip.compress(packed))
    whole, parts = read_table(write(tmp_path / "all.jsonl", rows), 0.1), read_table(folder, 0.1)
    assert parts.rows == whole.rows
    assert parts.name == "parts"
