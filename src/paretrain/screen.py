"""What commands print on."""

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from paretrain.output import inner
from paretrain.safe_text import escaped


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class Screen(Console):
    """Standard output or standard error, with colours and tables.

    What is shown is escaped before rich adds its own codes for colours and cursor.
    """

    def __init__(self, stderr: bool = False, quiet: bool = False) -> None:
        stream = inner(sys.stderr if stderr else sys.stdout)
        # A notebook takes itself for a terminal, but shows no line twice in the same place. What is
        # printed it shows without more libraries, as a log.
        terminal = False if in_notebook() else None
        super().__init__(file=stream, quiet=quiet, force_jupyter=False, force_terminal=terminal)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the pieces of what is shown, safe to print."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=escaped(segment.text))

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, as `print` does: whoever prints may have something to end well."""
        raise  # the error that rich calls this for
