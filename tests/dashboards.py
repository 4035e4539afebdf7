"""A dashboard in a process of its own, and what it answers."""

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.forked import Forked


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    """By name in small letters."""
    body: str


class Served(NamedTuple):
    """A dashboard that runs."""

    address: str
    """As it was printed."""

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    @property
    def token(self) -> str:
        return self.address.partition("?token=")[2]

    @property
    def cookie(self) -> str:
        return f"paretrain-{self.port}={self.token}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        cookie: str | None = None,
        **headers: str,
    ) -> Answer:
        """One request. With the right cookie unless another one is given; "" is none. Keyword
        arguments are headers: `Sec_Fetch_Site="none"`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie != "":
            sent["Cookie"] = cookie or self.cookie
        content = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, content, {"Content-Type": "application/json"} | sent)
            response = connection.getresponse()
            said = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, said, response.read().decode("utf-8", "replace"))

    def refused(self, *path: str, **more: str) -> str:
        """The sentence with which it refuses a request."""
        answer = self.ask(*path, **more)
        assert answer.status == 403, answer
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.body.startswith("Refused: ") and answer.body.count("\n") == 1
        assert self.token not in answer.body + str(answer.headers)
        return answer.body


@contextmanager
def serving(storage: str, *options: str) -> Iterator[Served]:
    """Of a database, until the block ends."""
    process = Forked("search.dashboard", "--storage", storage, *options)
    try:
        yield Served(process.stdout.readline().split()[1])
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in said, said
