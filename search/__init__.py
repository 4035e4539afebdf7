"""Drives Optuna over a space of configurations: accuracy up, parameters down.

`from search import run_search` is `python -m search.run` from Python; `FrontPruner` is for training
loops of your own. Names are loaded when they are asked for, so importing `search` loads neither
torch nor Optuna.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import SearchFailed as SearchFailed
    from search.api import SearchResult as SearchResult
    from search.api import open_search as open_search
    from search.api import run_search as run_search
    from search.elsewhere.front_pruner import FrontPruner as FrontPruner
    from search.elsewhere.keras_callback import KerasPruningCallback as KerasPruningCallback
    from search.elsewhere.lightning_callback import (
        LightningPruningCallback as LightningPruningCallback,
    )
    from search.elsewhere.ray_scheduler import FrontScheduler as FrontScheduler

_WHERE = {
    "FrontPruner": "search.elsewhere.front_pruner",
    "KerasPruningCallback": "search.elsewhere.keras_callback",
    "LightningPruningCallback": "search.elsewhere.lightning_callback",
    "FrontScheduler": "search.elsewhere.ray_scheduler",
    **dict.fromkeys(("SearchFailed", "SearchResult", "open_search", "run_search"), "search.api"),
}
"""Modules of the public names."""


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'search' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
