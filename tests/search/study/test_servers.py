"""What is asked of each kind of server, as its driver is told it."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy import create_engine

from search.study import servers


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("postgresql", ["SET idle_in_transaction_session_timeout = 30000"]),
        ("mysql", ["SET SESSION wait_timeout = 30"]),
        ("mariadb", ["SET SESSION wait_timeout = 30"]),
        ("oracle", []),
    ],
)
def test_a_connection_by_any_driver_is_told_what_its_server_understands(
    kind: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, listen = create_engine("sqlite://"), Mock()
    monkeypatch.setattr(engine.dialect, "name", kind)
    monkeypatch.setattr(servers, "event", SimpleNamespace(listen=listen))
    servers.prepare(engine)
    connection = Mock(spec=["cursor", "commit"])  # what all drivers have
    cursor = connection.cursor.return_value = Mock(spec=["execute", "close"])
    for call in listen.call_args_list:
        assert call.args[:2] == (engine, "connect")
        call.args[2](connection, None)
    assert [call.args[0] for call in cursor.execute.call_args_list] == said
    assert cursor.close.called == connection.commit.called == bool(said)
