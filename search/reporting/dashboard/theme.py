"""Our figures on the dashboard's page: in its colours, light or dark, and in a fixed order.
optuna-dashboard paints only its own plots dark, and shows ours in the order of a Python set."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# rgb(68, 68, 68) is plotly's colour for text to which a figure gives none. Labels that the pointer
# brings up keep it: they have a background of their own.
_COLOURS = """
[id^="user-defined-plot:"] :is(.main-svg, .modebar-group) { background: transparent !important; }
[id^="user-defined-plot:"] .modebar-btn:not(.modebar-btn--logo) path {
  fill: currentColor !important; opacity: 0.4; }
[id^="user-defined-plot:"] .legend .bg { fill: transparent !important; }
[id^="user-defined-plot:"] text[style*="fill: rgb(68, 68, 68)"]:not(.hoverlayer text) {
  fill: currentColor !important; }
"""
_CARD = ".MuiGrid-root:has(> .MuiPaper-root > .MuiCardContent-root > {figure})"
"""The place of a figure in the page's flexible grid."""


def _style(order: Sequence[str]) -> bytes:
    """The style element: colours, then the places of figures, then all that follows them."""
    every = _CARD.format(figure='[id^="user-defined-plot:"]')
    rules = [
        f'{_CARD.format(figure=f"""[id="user-defined-plot:{name}"]""")} {{ order: {place}; }}'
        for place, name in enumerate(order, start=1)
    ]
    rules.append(f"{every} ~ .MuiGrid-root:not({every}) {{ order: {len(order) + 1}; }}")
    return f"<style>{_COLOURS}{chr(10).join(rules)}\n</style>\n".encode()


def themed(dashboard: Application, order: Sequence[str] = ()) -> Application:
    """The dashboard with our style in its pages. `order`: the ids of figures, as they are to follow
    one another."""
    style = _style(order)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        page = environ["PATH_INFO"].startswith("/dashboard")
        if not page or environ["REQUEST_METHOD"] != "GET":
            return dashboard(environ, start_response)
        # A browser may keep the page of an optuna-dashboard that ran at this address before.
        conditions = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH")
        request = {key: value for key, value in environ.items() if key not in conditions}
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun[:] = status, headers, exc_info

        chunks = dashboard(request, begin)
        content = b"".join(chunks).replace(b"</head>", style + b"</head>", 1)
        if close := getattr(chunks, "close", None):
            close()
        status, headers, exc_info = begun
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*others, ("Content-Length", str(len(content)))], exc_info)
        return [content]

    return application
