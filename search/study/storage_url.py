"""Where studies live, as it was given: a SQLite file or the URL of a database, read once. Its text
hides what is secret; only the connection sees that."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Union
from urllib.parse import quote, quote_plus, unquote, urlsplit

from paretrain.cli import UserError, hide, nearest

if TYPE_CHECKING:  # it takes 0.2 s to import, more than all else that `--help` needs
    from sqlalchemy import URL

VARIABLE = "PARETRAIN_STORAGE"
"""Environment variable that takes the place of --storage."""
DEFAULT = "studies.db"
HIDDEN = "***"

SQLITE_SETTINGS = {
    *("uri", "timeout", "isolation_level", "detect_types", "check_same_thread"),
    "cached_statements",
}
"""What may follow the `?` after a SQLite file: what its driver in Python takes."""
OPEN_SETTINGS = {
    *SQLITE_SETTINGS,
    *("mode", "cache", "immutable", "nolock", "vfs", "charset", "encoding", "client_encoding"),
    *("sslmode", "ssl", "encrypt", "trustservercertificate", "driver", "application_name"),
    *("host", "port", "database", "dbname", "unix_socket", "target_session_attrs", "autocommit"),
    *("connect_timeout", "read_timeout", "write_timeout"),
}
"""Settings of any URL whose values are shown. All others are hidden: nobody can list the names
under which drivers take passwords and tokens."""
PLACES = {"host", "port", "database", "dbname", "db", "server", "service", "unix_socket"}
"""Settings that say where a database is."""
_ODBC = "odbc_connect"
"""Holds a connection string of its own, `KEY=value;KEY=value`, which says where and with what
password."""


@dataclass(frozen=True, repr=False)
class StorageUrl:
    """Where studies live. `str` of it may be shown to anybody."""

    _url: "URL"

    @classmethod
    def of(cls, given: Union[str, Path, "StorageUrl"]) -> "StorageUrl":
        """Read `studies.db`, a path, or a SQLAlchemy URL. A path may hold any character.

        Raises UserError for what cannot be read or keeps nothing. The message shows no secret.
        """
        from sqlalchemy import URL, make_url
        from sqlalchemy.exc import ArgumentError

        if isinstance(given, StorageUrl):
            return given
        text = str(given)
        if "://" not in text:
            if not text.strip():
                raise _keeps_nothing(text)
            return cls(URL.create("sqlite", database=text))
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise UserError(
                f"--storage {text.partition('://')[0]}://{HIDDEN} cannot be read as a URL: it is "
                "KIND://USER:PASSWORD@HOST:PORT/DATABASE, where special characters of user and "
                "password are percent-encoded: @ is %40, / is %2F, : is %3A"
            ) from None
        made = cls(url)
        hide(*made.secrets())
        made.check(text)
        return made

    @classmethod
    def usual(cls) -> "StorageUrl":
        """Where studies live unless somebody names another place. Raises UserError for a variable
        that holds no storage."""
        return cls.of(os.environ.get(VARIABLE) or DEFAULT)

    def check(self, text: str) -> None:
        """Raises UserError for what keeps nothing, or was misread. `text`: as it was given."""
        url = self._url
        if any("@" in (part or "") for part in (url.host, url.username)) or (
            not self._is_sqlite and "@" in (url.database or "") and "%40" not in text
        ):
            # A part of the password has been taken for the host, or for another part.
            raise UserError(
                f"--storage {url.drivername}://{HIDDEN}: user or password hold a special "
                "character: write @ as %40, / as %2F, : as %3A"
            )
        if url.password == HIDDEN or HIDDEN in _values(url):
            raise UserError(
                f"--storage {self}: {HIDDEN} stands where a secret was left out: set {VARIABLE} "
                "to the whole URL and leave --storage out"
            )
        if not self._is_file:
            return
        if url.host or url.username or url.password:
            raise UserError(
                f"--storage {self} is no SQLite URL: give a file such as {DEFAULT}, or "
                "sqlite:////absolute/path/of/it"
            )
        memory = url.query.get("mode") == "memory" or ":memory:" in (url.database or "")
        if not (url.database or "").strip() or memory:
            raise _keeps_nothing(text)
        unknown = sorted(set(url.query) - SQLITE_SETTINGS)
        if unknown and not self._is_uri:
            raise UserError(
                f"--storage {self}: SQLite has no setting '{unknown[0]}'"
                f"{nearest(unknown[0], SQLITE_SETTINGS)}: it takes "
                f"{', '.join(sorted(SQLITE_SETTINGS))}; a ? in a file name is written %3F in a URL"
            )

    def __str__(self) -> str:
        if self._is_file and not self._url.query:
            return str(self._url.database)
        # The stars would be percent-encoded where they are a setting's value.
        shown = self._url.update_query_dict(
            {key: _MARK for key, _ in _settings(self._url) if not _is_open(key)}
        )
        return shown.render_as_string(hide_password=True).replace(_MARK, HIDDEN)

    def __repr__(self) -> str:
        return f"StorageUrl({str(self)!r})"

    @property
    def backend(self) -> str:
        """Which kind of database: `sqlite`, `postgresql`, `mysql`, ..."""
        return self._url.get_backend_name()

    @property
    def _is_sqlite(self) -> bool:
        return self.backend == "sqlite"

    @property
    def _is_file(self) -> bool:
        # Other drivers, such as one that encrypts, read files that SQLite itself cannot.
        return self._url.drivername in ("sqlite", "sqlite+pysqlite")

    @property
    def _is_uri(self) -> bool:
        given = str(self._url.query.get("uri", "")).lower()
        return given in ("1", "true", "yes", "on", "y", "t")

    @cached_property
    def path(self) -> Path | None:
        """The SQLite file, or None for another database."""
        if not self._is_file:
            return None
        name = str(self._url.database)
        if self._is_uri and name.startswith("file:"):
            name = unquote(urlsplit(name).path)
        return Path(name)

    @property
    def settings(self) -> frozenset[str]:
        """Names of the settings behind the `?`."""
        return frozenset(self._url.query)

    @property
    def has_secrets(self) -> bool:
        """Whether its text hides anything."""
        return HIDDEN in str(self)

    @property
    def place(self) -> str:
        """The same text for every way of writing the same place, without secrets: for locks."""
        if self.path is not None:
            return str(self.path.resolve())
        url = self._url
        said = [(key, value) for key, value in _settings(url) if key.lower() in PLACES]
        if _ODBC in url.query:
            said += [(k, v) for k, v in _odbc(url) if not _is_password(k)]
        where = f"{url.get_backend_name()}://{(url.host or '').lower()}:{url.port or ''}"
        return f"{where}/{url.database or ''}?{sorted(said)}"

    @property
    def options(self) -> tuple[str, ...]:
        """The words with which a command of this shell finds it; none where none is needed."""
        try:
            if StorageUrl.usual() == self:
                return ()
        except UserError:
            pass  # what the variable holds is no storage
        return ("--storage", str(self))

    def handed_over(self) -> "StorageUrl":
        """The same without the folders of this machine; a server's URL as it is."""
        if self.path is None or not self.path.is_absolute():
            return self
        return StorageUrl(self._url.set(database=self.path.name))

    def for_connection(self) -> str:
        """The whole URL, secrets included. To be given to the database's driver, and nowhere
        else."""
        return self._url.render_as_string(hide_password=False)

    def for_reading(self, immutable: bool) -> str:
        """The same for a SQLite file that cannot be written. `immutable`: nobody else writes it
        either, so it is read without locks. An assertion error for any other database."""
        assert self.path is not None
        mode = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if immutable else {})
        uri = "file:" + quote(str(self.path.absolute()))
        return self._url.set(database=uri).update_query_dict(mode).render_as_string()

    def secrets(self) -> Iterator[str]:
        """What must not be seen, in every spelling in which a driver may repeat it."""
        url = self._url
        found = [str(url.password or "")]
        found += [
            value
            for key, value in _settings(url)
            # `1` or `yes` of an unknown setting would put stars into every other sentence.
            if not _is_open(key) and (len(value) > 3 or _is_password(key))
        ]
        found += [value for key, value in _odbc(url) if _is_password(key)]
        for secret in filter(None, found):
            yield from {secret, quote_plus(secret)}
            yield from {quote(secret, safe) for safe in ("/", " +", "")}


_MARK = "HIDDEN0HERE"


def _keeps_nothing(text: str) -> UserError:
    shown = text if "@" not in text else f"{text.partition('://')[0]}://{HIDDEN}"
    return UserError(
        f"--storage '{shown}' keeps nothing: give a file such as {DEFAULT}, or the URL of a "
        "database"
    )


def _settings(url: "URL") -> Iterator[tuple[str, str]]:
    for key, values in url.query.items():
        for value in (values,) if isinstance(values, str) else values:
            yield key, value


def _values(url: "URL") -> set[str]:
    return {value for _, value in _settings(url)}


def _odbc(url: "URL") -> Iterator[tuple[str, str]]:
    for key, text in _settings(url):
        if key.lower() == _ODBC:
            for pair in text.split(";"):
                name, _, value = pair.partition("=")
                yield name.strip().lower(), value.strip("{} ")


def _is_open(key: str) -> bool:
    return key.lower() in OPEN_SETTINGS


def _is_password(key: str) -> bool:
    return re.search("pwd|pass|secret|token|key", key.lower()) is not None
