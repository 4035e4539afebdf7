"""By which metric a study measures accuracy, as it is stored."""

from collections.abc import Mapping
from typing import Any

from paretrain.config import Metric
from paretrain.metric import METRICS

_BEGINS = "val_"


def stored_name(metric: Metric) -> str:
    """The name of the first objective in the database: `val_acc`, `val_macro_f1`."""
    return f"{_BEGINS}{metric}"


def metric_of(identity: Mapping[str, Any]) -> Metric:
    """The metric of a study with this identity. `acc` where it names none that is known."""
    named = [*identity.get("objectives", ()), ""][0].split(" ")[0]
    return next((known for known in METRICS if stored_name(known) == named), "acc")
