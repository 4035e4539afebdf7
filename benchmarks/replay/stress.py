"""Slow starters made of recorded curves, since few tables have any."""

import random
from dataclasses import replace

from benchmarks.replay.tables import Row, Table, make_row

SHARE = 0.3
"""Of the curves that become slow starters."""
HELD = (0.22, 0.78)
"""Shares of the epochs for which they are held at chance."""


def stressed(table: Table, seed: int = 0) -> Table:
    """A copy in which some curves stay at chance for a while and are then replayed, compressed into
    the epochs that are left: they end where they did, so the front is the same."""
    rng = random.Random(seed)
    chosen = set(rng.sample(range(len(table.rows)), round(SHARE * len(table.rows))))
    rows = tuple(
        _held(row, table, rng.uniform(*HELD)) if i in chosen else row
        for i, row in enumerate(table.rows)
    )
    return replace(table, name=f"{table.name}+stress", rows=rows)


def _held(row: Row, table: Table, share: float) -> Row:
    epochs = table.epochs
    held = min(epochs - 1, round(share * epochs))
    left = epochs - held
    replayed = [row.accs[-(-step * epochs // left) - 1] for step in range(1, left + 1)]
    accs = (*(table.chance for _ in range(held)), *replayed)
    return make_row(row.num_params, accs, row.config, table.chance)
