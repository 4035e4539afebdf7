"""Our figures on the dashboard's page: in its colours, light or dark, in a fixed order, and with a
click that leads to the trial. optuna-dashboard paints only its own plots dark, shows ours in the
order of a Python set, and hears no click on them."""

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
_TEXT = """
main .MuiTypography-body1, main .MuiBox-root:has(> .MuiTypography-body1), main pre {
  white-space: pre-wrap !important; overflow-wrap: anywhere; }
main .MuiTableCell-root, main .MuiTableCell-root pre { overflow-wrap: anywhere; }
main table:not(.MuiTable-root) :is(td, th) { padding: 0 0.6em; }
@media (max-width: 50rem) {
  [id^="user-defined-plot:"] .modebar { display: none; }  /* it would lie on the title */
  main .MuiGrid-root[class*="MuiGrid-grid-xs"] { max-width: 100%; flex-basis: 100%; }
  main { min-width: 0; }
  main :is(.MuiBox-root, .MuiPaper-root, .MuiCardContent-root) { min-width: 0; max-width: 100%; }
}
"""
"""Configurations and decisions, which are thousands of characters long, break into lines, and
scroll where they would still fill the page."""

_CLICKS = b"""
document.addEventListener('click', event => {
  const figure = event.target.closest && event.target.closest('[id="user-defined-plot:pareto"]');
  const points = (figure && figure._hoverdata) || [];
  const point = points.find(point => Number.isInteger(point.customdata));
  const study = /^.*\\/studies\\/\\d+/.exec(location.pathname);
  if (point && study) location.assign(`${study[0]}/trials?numbers=${point.customdata}`);
});
"""
"""plotly tells an element what the pointer is over in `_hoverdata`, and passes on a click on it."""
SCRIPT = "/paretrain.js"
"""Where it is served: the pages of the dashboard allow only scripts that have an address here."""

_CARD = ".MuiGrid-root:has(> .MuiPaper-root > .MuiCardContent-root > {figure})"
"""The place of a figure in the page's flexible grid."""


def _style(order: Sequence[str]) -> bytes:
    """The style element: colours, text, and the places of figures: they come first. Optuna's own
    panel of importances is not shown beside ours: it has no measure of chance, and asks trained
    networks for a size that is a formula."""
    every = _CARD.format(figure='[id^="user-defined-plot:"]')
    rules = [
        f'{_CARD.format(figure=f"""[id="user-defined-plot:{name}"]""")} {{ order: {place}; }}'
        for place, name in enumerate(order, start=1)
    ]
    after = f".MuiGrid-root:not({every}) {{ order: {len(order) + 1}; }}"
    ours = '.MuiGrid-container:has([id^="user-defined-plot:"])'  # :has() cannot be nested
    rules += [
        f"{ours} {{ order: -1; padding-top: 1rem; }}",
        *(f"{ours} > {after}", f"{every} ~ {after}"),
        f"{ours} > .MuiGrid-root:has(#graph-hyperparameter-importances) {{ display: none; }}",
    ]
    return f"<style>{_COLOURS}{_TEXT}{chr(10).join(rules)}\n</style>\n".encode()


def themed(dashboard: Application, order: Sequence[str] = ()) -> Application:
    """The dashboard with our style and script in its pages. `order`: the ids of figures, as they
    are to follow one another."""
    style, script = _style(order), f'<script src="{SCRIPT}"></script>\n'.encode()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == SCRIPT:
            start_response("200 OK", [("Content-Type", "text/javascript; charset=utf-8")])
            return [_CLICKS]
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
        content = content.replace(b"</body>", script + b"</body>", 1)
        if close := getattr(chunks, "close", None):
            close()
        status, headers, exc_info = begun
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*others, ("Content-Length", str(len(content)))], exc_info)
        return [content]

    return application
