"""What commands print on."""

from rich.console import Console


class Screen(Console):
    """Standard output or standard error, with colours and tables."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, as `print` does: whoever prints may have something to end well."""
        raise  # the error that rich calls this for
