"""Who is let into the dashboard: real requests to the real command."""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from search.reporting.dashboard.guard import host_of
from tests.dashboards import Served, serving


@pytest.fixture(scope="module")
def copied(storage: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("guard") / "studies.db"
    with closing(sqlite3.connect(storage)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
    return str(path)


@pytest.fixture(scope="module")
def served(copied: str) -> Iterator[Served]:
    with serving(copied, "--port", "0") as at:
        yield at


def studies(storage: str) -> int:
    with closing(sqlite3.connect(storage)) as database:
        return int(database.execute("SELECT count(*) FROM studies").fetchone()[0])


PATHS = ("/", "/dashboard", "/api/studies", "/api/studies/1", "/static/bundle.js", "/favicon.ico")


@pytest.mark.parametrize("path", [*PATHS, "/artifacts/1/d0a3-1-0", "/csv/1", "/nothing"])
def test_nothing_is_answered_without_the_token(served: Served, path: str) -> None:
    assert "the address that python -m search.dashboard printed" in served.refused(path, cookie="")
    wrong = f"paretrain-{served.port}=x{served.token[1:]}y"
    assert "no token" in served.refused(path, cookie=wrong)
    assert "not the right one" in served.refused(f"{path}?token=wrong", cookie="")
    assert "not the right one" in served.refused(f"{path}?token=", cookie="")
    assert "no token" in served.refused(path, cookie=f"paretrain-1={served.token}")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_a_token_in_the_address_alone_writes_nothing(
    served: Served, copied: str, method: str
) -> None:
    before = studies(copied)
    answer = served.ask(f"/api/studies/1?token={served.token}", method, {}, cookie="")
    assert answer.status == 403 and studies(copied) == before


def test_the_printed_address_sets_a_strict_cookie_and_forgets_the_token(served: Served) -> None:
    assert len(served.token) >= 40
    path = urlsplit(served.address).path
    answer = served.ask(f"{path}?token={served.token}&a=b%26c", cookie="")
    assert answer.status == 303 and answer.headers["location"] == f"{path}?a=b%26c"
    said = answer.headers.pop("set-cookie")
    assert served.token not in answer.body + str(answer.headers)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    first, *attributes = said.split("; ")
    assert first == served.cookie and set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    page = served.ask(path, cookie=f"odd[]=1; =; {first}; paretrain-{served.port}=x")
    assert page.status == 200 and "<title>Optuna Dashboard</title>" in page.body


def test_a_link_in_a_foreign_page_leads_in_although_cookies_are_strict(served: Served) -> None:
    """A browser sends no strict cookie along a redirect that a foreign page has begun."""
    headers = {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
    }
    path = urlsplit(served.address).path
    answer = served.ask(f"{path}?token={served.token}", cookie="", **headers)
    assert answer.status == 200 and "location" not in answer.headers
    assert f'http-equiv="refresh" content="0; url={path}"' in answer.body
    assert served.token not in answer.body and served.cookie in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/%0d%0aX-Evil:%201", "/\\evil.example", "/a<b"]
)
def test_the_address_after_the_token_is_always_on_this_server(served: Served, path: str) -> None:
    answer = served.ask(f"{path}?token={served.token}", cookie="")
    location = answer.headers["location"]
    assert location.startswith("/") and not location.startswith(("//", "/\\"))
    assert not set("\r\n\\<") & set(location) and "x-evil" not in answer.headers


NAMES = ("localhost", "127.0.0.1", "[::1]", "LOCALHOST")


def test_it_answers_to_the_names_of_this_machine_with_any_port(served: Served) -> None:
    """Any port, because `ssh -L 9000:localhost:8080` gives it another one."""
    for name in NAMES:
        for port in ("", f":{served.port}", ":9000"):
            assert served.ask("/api/studies", Host=name + port).status == 200, name + port


FOREIGN: tuple[str, ...] = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil",
    "10.0.0.1",
)
FOREIGN += (
    "localhost@evil.example",
    "localhost,evil.example",
    "0.0.0.0",
    "",
    "[::1",
    "localhost:x",
)
FOREIGN += ("2130706433", "127.1", "localhost/x", "localhost.")


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_that_points_here_reads_and_writes_nothing(
    served: Served, copied: str, host: str
) -> None:
    before = studies(copied)
    for port in ("", f":{served.port}"):
        if not host.endswith("x"):
            assert "no name of this dashboard" in served.refused("/api/studies", Host=host + port)
        new = {"study_name": "theirs", "directions": ["minimize"]}
        assert served.ask("/api/studies", "POST", new, Host=host + port).status == 403
        assert served.ask("/api/studies/1", "DELETE", Host=host + port).status == 403
        token = f"/dashboard?token={served.token}"
        assert served.ask(token, Host=host + port, cookie="").status == 403
    assert studies(copied) == before


ORIGINS = ("https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "x", "")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_another_origin_reads_and_writes_nothing(
    served: Served, copied: str, origin: str
) -> None:
    before = studies(copied)
    new = {"study_name": "theirs", "directions": ["minimize"]}
    for answer in (
        served.ask("/api/studies", "POST", new, Origin=origin),
        served.ask("/api/studies/1", "DELETE", Origin=origin),
        served.ask("/api/studies/1/note", "PUT", {"body": "theirs", "version": 99}, Origin=origin),
        served.ask("/api/studies", Origin=origin),
    ):
        assert answer.status == 403 and "another site" in answer.body
    assert studies(copied) == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_neither_fetches_nor_frames_nor_posts(
    served: Served, copied: str, site: str
) -> None:
    before = studies(copied)
    for method, mode, dest in (
        ("GET", "no-cors", "script"),
        ("GET", "cors", "empty"),
        ("GET", "navigate", "iframe"),
        ("POST", "navigate", "document"),
        ("DELETE", "cors", "empty"),
    ):
        headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest}
        assert served.ask("/api/studies/1", method, **headers).status == 403, (method, mode)
    assert studies(copied) == before
    opened = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert served.ask("/dashboard", **opened).status == 200


def test_its_own_page_reads_and_writes(served: Served, copied: str) -> None:
    before = studies(copied)
    own = {"Origin": f"http://localhost:{served.port}", "Host": f"localhost:{served.port}"}
    own["Sec_Fetch_Site"] = "same-origin"
    made = served.ask(
        "/api/studies", "POST", {"study_name": "x", "directions": ["minimize"]}, **own
    )
    assert made.status == 201 and studies(copied) == before + 1
    number = json.loads(made.body)["study_summary"]["study_id"]
    assert served.ask(f"/api/studies/{number}", "DELETE", **own).status == 204
    assert studies(copied) == before


def test_artifacts_are_strangers_to_the_dashboard(served: Served) -> None:
    """What is uploaded runs no script; the report runs its own, but with no rights here."""
    html = {"file": "data:text/html;base64,PHNjcmlwdD4=", "filename": "mine.html"}
    own = json.loads(served.ask("/api/artifacts/1", "POST", html).body)["artifact_id"]
    told = json.loads(served.ask("/api/studies/1").body)
    ours = next(a["artifact_id"] for a in told["artifacts"] if a["filename"] == "report.html")
    trial = next(t for t in told["trials"] if t["artifacts"])
    picture = f"{trial['trial_id']}/{trial['artifacts'][0]['artifact_id']}"
    for artifact in (own, ours, picture):
        headers = served.ask(f"/artifacts/1/{artifact}", Origin=f"http://127.0.0.1:{served.port}")
        assert headers.status == 200
        assert not [name for name in headers.headers if name.startswith("access-control")]
        assert headers.headers["x-content-type-options"] == "nosniff"
        assert headers.headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers.headers["content-security-policy"]
        sandbox = re.findall(r"sandbox[^;]*", policy)
        scripts = artifact == ours
        assert sandbox == ["sandbox allow-scripts allow-downloads" if scripts else "sandbox"]
        assert "default-src 'none'" in policy and "allow-same-origin" not in policy
        assert ("script-src" in policy) == scripts
    assert served.ask(f"/api/artifacts/1/{own}", "DELETE").status == 204


def test_no_answer_may_be_read_by_other_origins(served: Served) -> None:
    for path in PATHS:
        headers = served.ask(path).headers
        assert not [name for name in headers if name.startswith("access-control")], path
        assert headers["x-content-type-options"] == "nosniff" and served.token not in str(headers)


@pytest.mark.slow
def test_the_token_is_a_new_one_each_time_and_no_process_shows_it(
    served: Served, copied: str
) -> None:
    with serving(copied, "--port", "0") as other:
        assert other.token != served.token and other.port != served.port
        assert (
            other.ask("/api/studies", cookie=f"paretrain-{other.port}={served.token}").status == 403
        )
    if Path("/proc/self").is_dir():
        lines = [
            p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if os.access(p, os.R_OK)
        ]
        assert not [line for line in lines if served.token.encode() in line]


@pytest.mark.slow
def test_a_host_is_a_name_to_be_reached_by_and_needs_the_token_too(copied: str) -> None:
    options = ("--host", "0.0.0.0", "--host", "gpu.example.org", "--port", "0")
    with serving(copied, *options) as at:
        assert urlsplit(at.address).hostname == "gpu.example.org"
        for host in (
            "gpu.example.org",
            f"GPU.example.org:{at.port}",
            "192.168.1.5:80",
            "localhost",
        ):
            assert at.ask("/api/studies", Host=host).status == 200, host
            assert "no token" in at.refused("/api/studies", Host=host, cookie="")
        assert "no name of this dashboard" in at.refused("/api/studies", Host="evil.example")
        for origin, status in (
            ("https://gpu.example.org", 201),  # a proxy that speaks TLS, and passes on another Host
            ("https://evil.example", 403),
            ("http://localhost:1", 403),
        ):
            new = {"study_name": f"by {origin}", "directions": ["minimize"]}
            host = f"localhost:{at.port}"
            assert at.ask("/api/studies", "POST", new, Host=host, Origin=origin).status == status


def test_a_host_header_is_read_as_browsers_write_it() -> None:
    assert [host_of(netloc) for netloc in ("A.b:1", "[::1]:8080", "[::1]", "x")] == [
        "a.b",
        "::1",
        "::1",
        "x",
    ]
    assert [host_of(odd) for odd in ("a/b", "a?b", "a#b", "u@a", "a:b", "[::1", "")] == [""] * 7
