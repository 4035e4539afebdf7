"""Makes slow starters from recorded curves, because few tables have any."""

import random
from dataclasses import replace

from benchmarks.replay.tables import Row, Table, make_row

SHARE = 0.3
"""Share of the curves that become slow starters."""
HELD = (0.22, 0.78)
"""Range of the share of epochs for which they are held at chance."""


def stressed(table: Table, seed: int = 0) -> Table:
    """Return a copy of the table in which some curves stay at chance for a while.

    They then run through their recorded values in the epochs that are left. They end where they
    did, so the front stays the same.
    """
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
