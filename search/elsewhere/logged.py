"""What a training has logged, by name."""

from collections.abc import Mapping
from typing import Any

from paretrain.cli import UserError, nearest


def logged_accuracy(logs: Mapping[str, Any], monitor: str) -> Any:
    """The value of that name. Raises UserError naming those that there are."""
    if monitor not in logs:
        there = ", ".join(sorted(map(str, logs))) or "nothing"
        raise UserError(
            f"monitor is '{monitor}'{nearest(monitor, map(str, logs))}, but after this epoch there "
            f"is {there}: log a validation accuracy after every epoch"
        )
    return logs[monitor]
