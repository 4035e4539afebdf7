"""`python -m search.dashboard`: wrong inputs."""

import socket
from pathlib import Path

import optuna

from search.dashboard import main as dashboard
from tests.harness import RunMain


def test_wrong_inputs_end_in_one_line(storage: str, tmp_path: Path, run_main: RunMain) -> None:
    def said(*arguments: object) -> str:
        code, out, err = run_main(dashboard, *arguments)
        assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1
        return err

    missing = tmp_path / "no.db"
    assert "run python -m search.run first" in said("--storage", missing)
    assert not missing.exists()
    wrong = said("--storage", storage, "--study-name", "vgg_reduce-digit")
    assert "did you mean 'vgg_reduce-digits'?" in wrong
    for port in ("-1", "70000", "x"):
        assert "--port" in said("--storage", storage, "--port", port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"--port {port}: Address already in use" in said(
            "--storage", storage, "--port", port
        )
    for host in ("", "no such name", "a\0b", "x" * 300):
        assert "--host" in said("--storage", storage, "--host", host)
    assert "not an address of this machine" in said("--storage", storage, "--host", "192.0.2.1")
    empty = tmp_path / "empty.db"
    optuna.storages.RDBStorage(f"sqlite:///{empty}")
    assert "no study in" in said("--storage", empty)
