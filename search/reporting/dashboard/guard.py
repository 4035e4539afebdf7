"""Lets nobody into the dashboard but who has the address that it printed. optuna-dashboard itself
answers whoever asks, so any web page that its user opens could read and delete studies."""

import hmac
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from search.reporting.dashboard.theme import Application

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that nobody else can give to theirs."""
TOKEN = "token"
"""The field of the printed address that holds the token."""

_ARTIFACTS = "/artifacts/"
_SANDBOX = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; sandbox"
_SANDBOX_OF_REPORT = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; sandbox allow-scripts allow-downloads"
)
"""The report needs its scripts. Without `allow-same-origin` they are strangers to the dashboard."""
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
NO_TOKEN = "open the address that python -m search.dashboard printed: it has the token"

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]


class Guard:
    """A dashboard behind a token. Every refusal is status 403 and one plain sentence.

    - The `Host` must be a name of this machine, so that no foreign name can be made to point here
      (DNS rebinding). An address as such, which nobody can rebind, will do where the server can be
      reached from other machines.
    - A request that a page of another origin makes is refused, be it to read or to write.
    - The token, once in the address, sets a cookie that only this server's own pages send.
    - Artifacts are shown as strangers: their scripts run not at all, or without any rights here.
    """

    def __init__(
        self,
        dashboard: Application,
        token: str,
        port: int,
        names: Sequence[str] = (),
        report: Callable[[str], bool] = lambda path: False,
    ) -> None:
        """`names`: of --host, by which it can be reached beside LOOPBACK. `report`: says of a path
        whether our own report is there, which may run its scripts."""
        self._dashboard, self._token, self._report = dashboard, token, report
        # Cookies know no ports: two dashboards on one machine would take each other's place.
        self._cookie = f"paretrain-{port}"
        self._names = {name.lower() for name in (*LOOPBACK, *names)}
        self._any_address = any(is_address(name) and name not in LOOPBACK for name in names)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request (PEP 3333)."""
        host = environ.get("HTTP_HOST", "")
        if not self._known(host_of(host)):
            return _refuse(
                start_response,
                f"'{host[:100]}' is no name of this dashboard: use localhost, or begin it with "
                "--host and that name",
            )
        if self._foreign(environ, host):
            return _refuse(start_response, "a page of another site may not ask this dashboard")
        fields = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        given = [value for name, value in fields if name == TOKEN]
        if given and environ["REQUEST_METHOD"] == "GET":
            if not all(self._right(value) for value in given):
                return _refuse(start_response, f"this token is not the right one: {NO_TOKEN}")
            return self._admit(environ, fields, start_response)
        if not self._has_cookie(environ.get("HTTP_COOKIE", "")):
            return _refuse(start_response, f"this request has no token: {NO_TOKEN}")
        return self._dashboard(environ, self._dressed(environ["PATH_INFO"], start_response))

    def _known(self, name: str) -> bool:
        return name in self._names or (self._any_address and is_address(name))

    def _foreign(self, environ: dict[str, Any], host: str) -> bool:
        """Whether a page of another origin makes the request. Opening a page from elsewhere, as by
        a link, is none: without the cookie, or in a frame, it shows nothing."""
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        opens = (
            environ["REQUEST_METHOD"] in ("GET", "HEAD")
            and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
            and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        )
        if site not in ("none", "same-origin") and not opens:
            return True
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return False
        # A proxy may pass on another Host than the browser's, but then --host has its name.
        own, named = origin_host(origin), host_of(origin_host(origin))
        return own != host.lower() and not (named not in LOOPBACK and named in self._names)

    def _right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _has_cookie(self, cookies: str) -> bool:
        # Not http.cookies: it stops at the first odd cookie, and other servers on this machine set
        # some that come here too.
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        values = [value for name, _, value in pairs if name == self._cookie]
        return any([self._right(value) for value in values])

    def _admit(
        self, environ: dict[str, Any], fields: Sequence[tuple[str, str]], start: StartResponse
    ) -> list[bytes]:
        """Sets the cookie and goes on to the same address without the token."""
        place = "/" + quote(environ["PATH_INFO"].lstrip("/"), encoding="latin-1")
        if others := [field for field in fields if field[0] != TOKEN]:
            place += "?" + urlencode(others)
        headers = [
            ("Set-Cookie", f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            *(_ALWAYS | {"Referrer-Policy": "no-referrer"}).items(),
        ]
        if environ.get("HTTP_SEC_FETCH_SITE", "none") in ("none", "same-origin"):
            start(_line(HTTPStatus.SEE_OTHER), [*headers, ("Location", place)])
            return [b""]
        # From a link in a foreign page, as in a notebook: a browser counts what a redirect leads to
        # as asked for by that page, and sends no strict cookie. This page asks by itself.
        start(_line(HTTPStatus.OK), headers)
        return [f'<meta http-equiv="refresh" content="0; url={escape(place)}">'.encode()]

    def _dressed(self, path: str, start_response: StartResponse) -> StartResponse:
        """`start_response` with headers that keep others out."""

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            added = dict(_ALWAYS)
            if path.startswith(_ARTIFACTS):
                added["Content-Security-Policy"] = (
                    _SANDBOX_OF_REPORT if self._report(path) else _SANDBOX
                )
                added["Cache-Control"] = "no-store"
            replaced = {name.lower() for name in added}
            kept = [
                (name, value)
                for name, value in headers
                if name.lower() not in replaced and not name.lower().startswith("access-control-")
            ]
            return start_response(status, [*kept, *added.items()], exc_info)

        return start


def host_of(netloc: str) -> str:
    """The name or address in a `Host` header, in small letters: `[::1]:8080` -> `::1`; empty where
    it cannot be read."""
    try:
        parts = urlsplit(f"//{netloc}")
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return ""
    odd = parts.path or parts.query or parts.fragment or "@" in netloc
    return "" if odd else (parts.hostname or "")


def origin_host(origin: str) -> str:
    """Host and port of an `Origin` header in small letters; empty for `null`."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Whether this is a number (IPv4 or IPv6) rather than a name that somebody can point here."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _refuse(start_response: StartResponse, why: str) -> list[bytes]:
    """One plain sentence."""
    content = f"Refused: {why}.\n".encode("utf-8", "replace")
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        *_ALWAYS.items(),
    ]
    start_response(_line(HTTPStatus.FORBIDDEN), headers)
    return [content]
