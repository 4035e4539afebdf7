"""How signals of new networks are compared, and replayed."""

import numpy as np
import pytest

from benchmarks.first_batch import Checked, told_apart
from benchmarks.replay.front import Front
from benchmarks.replay.selections import Ended, RandomOrder
from benchmarks.replay.tables import make_row, make_table


@pytest.mark.parametrize("sign", [1, -1])
def test_a_signal_counts_with_the_sign_that_tells_more(sign: int) -> None:
    never = np.array([0.0] * 20 + [1.0] * 10)
    signal = np.array([1.0] * 19 + [5.0] + [2.0] * 9 + [0.0])
    area, found = told_apart(never, sign * signal)
    # 20 x 10 pairs: nine twos are above 19 ones, the zero is above nothing, five is above all.
    assert area == pytest.approx(9 * 19 / 200)
    assert found == pytest.approx(0.9)  # for one false alarm in twenty: the five


def test_a_checked_selection_leaves_out_what_tells_images_apart_too_little() -> None:
    rows = tuple(make_row(100 + i, (0.1, 0.1 + i / 100), {}, 0.1) for i in range(20))
    table = make_table("t", rows, 0.1)
    spreads = {id(row): float(i) for i, row in enumerate(rows)}
    ended = [Ended(row, row.val_acc, True, began=i >= 10) for i, row in enumerate(rows[:13])]
    selection = Checked(RandomOrder, table, spreads)
    front = Front(0.1, table.largest)
    chosen = {selection.choose(0, n, ended, front).num_params for n in range(200) if n % 10}
    assert chosen == set(range(110, 120))
    assert min(selection.choose(0, n, [], front).num_params for n in range(200)) < 110
