"""Our figures in the colours of the dashboard's page, light or dark. optuna-dashboard paints only
its own plots dark; ours it shows as they are stored, which is once for both."""

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Text that a figure gives no colour of its own has plotly's; a label that the pointer brings up
# has a ground of its own.
_STYLE = b"""<style>
[id^="user-defined-plot:"] :is(.main-svg, .modebar-group) { background: transparent !important; }
[id^="user-defined-plot:"] .modebar-btn:not(.modebar-btn--logo) path {
  fill: currentColor !important; opacity: 0.4; }
[id^="user-defined-plot:"] .legend .bg { fill: transparent !important; }
[id^="user-defined-plot:"] text[style*="fill: rgb(68, 68, 68)"]:not(.hoverlayer text) {
  fill: currentColor !important; }
</style>
"""


def themed(shown: Application) -> Application:
    """The dashboard with that style in its pages."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        page = environ["PATH_INFO"].startswith("/dashboard")
        if not page or environ["REQUEST_METHOD"] != "GET":
            return shown(environ, start_response)
        # A browser may keep the page of an optuna-dashboard that ran at this address before.
        kept = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH")
        asked = {key: value for key, value in environ.items() if key not in kept}
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            begun[:] = status, headers, exc_info

        answer = shown(asked, begin)
        content = b"".join(answer).replace(b"</head>", _STYLE + b"</head>", 1)
        if close := getattr(answer, "close", None):
            close()
        status, headers, exc_info = begun
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*others, ("Content-Length", str(len(content)))], exc_info)
        return [content]

    return application
