"""The stopping rules of the curve replay, by name."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.replay.oracle import Oracle
from benchmarks.replay.rivals import MoAsha, OptunaHub
from benchmarks.replay.rules import Asha, LastValue, Median, OneEpoch, ours
from benchmarks.replay.tables import Row
from paretrain.cli import UserError, nearest
from search.stopping.rule import DivergenceRule, Rule

Maker = Callable[[int, Sequence[Row]], Rule]
"""Makes a fresh rule for one simulation from the epochs of a full training and the table's rows.
Only `oracle` looks at the rows."""

NAMES: tuple[str, ...] = (
    *("none", "median", "asha", "last-q95", "mo-asha-1", "mo-asha-20", "optunahub", "one-epoch"),
    "ours",
)
"""Rules by default. Besides them there are `mo-asha-...-as-is`, Syne Tune's as installed (see
rivals.MoAsha), and `oracle`, which knows where each trial will end."""


def maker(name: str, registry: Path | None) -> Maker:
    """Return the maker of the rule with this name; `registry` is for optunahub.

    Raises UserError for an unknown name. The maker raises Unavailable for a rival whose code is
    missing.
    """
    makers: dict[str, Maker] = {
        "none": lambda *_: DivergenceRule(),
        "median": lambda *_: Median(),
        "asha": lambda *_: Asha(),
        "last-q95": lambda *_: LastValue(),
        "mo-asha-1": lambda epochs, _: MoAsha(epochs, 1),
        "mo-asha-20": lambda epochs, _: MoAsha(epochs, math.ceil(epochs / 20)),
        "mo-asha-1-as-is": lambda epochs, _: MoAsha(epochs, 1, as_is=True),
        "mo-asha-20-as-is": lambda epochs, _: MoAsha(epochs, math.ceil(epochs / 20), as_is=True),
        "optunahub": lambda *_: OptunaHub(registry),
        "one-epoch": lambda *_: OneEpoch(),
        "oracle": lambda _, rows: Oracle(rows),
    }
    if name in makers:
        return makers[name]
    if name == "ours" or name.startswith("ours-"):
        ours(name)  # refuses a wrong setting now, not after an hour
        return lambda *_: ours(name)
    raise UserError(
        f"--rules {name} is unknown{nearest(name, makers)}: give some of {', '.join(NAMES)}, "
        "oracle, or ours-SETTING"
    )
