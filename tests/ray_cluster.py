"""A Ray cluster of this machine, for tests. In a process of its own, which is told what to do by a
line each: Ray's threads, signals and warnings stay out of the tests' process.

All of it listens on loopback addresses: 127.0.0.2 for the head, 127.0.0.3 and up for nodes. (Ray
takes 127.0.0.1 for a name of this machine's other address.)
"""

import os
import subprocess
import sys
from typing import Self

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # nothing is written into the home folder
    "RAY_DISABLE_MEMORY_MONITOR": "1",  # what else runs here is not the cluster's business
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    "RAY_worker_niceness": "0",  # of 15, beside others that are busy they would hardly run
}


class RayCluster:
    """A head and nodes, one CPU each."""

    def __init__(self, nodes: int = 1) -> None:
        """`nodes`: beside the head."""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.ray_cluster", str(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
            text=True,
        )
        self.address = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def join(self) -> None:
        """Another node joins."""
        self._tell("join")

    def kill(self) -> None:
        """The node that joined last is lost at once, with all that ran on it."""
        self._tell("kill")

    def kill_head(self) -> None:
        """The head, and with it the cluster, is lost at once."""
        self._tell("head")

    def _tell(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        assert self._answer() == order

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "Ray has not started"
        return answer


def main() -> None:
    """Start, then obey."""
    from ray.cluster_utils import Cluster

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def common(number: int) -> dict[str, object]:
        address, store = f"127.0.0.{number}", 80_000_000
        return {"num_cpus": 1, "node_ip_address": address, "object_store_memory": store}

    head = {**common(2), "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(**common(3 + n)) for n in range(int(sys.argv[1]))]
    print(cluster.address, file=out, flush=True)
    lost = False
    for line in sys.stdin:
        match line.strip():
            case "join":
                nodes.append(cluster.add_node(**common(3 + len(nodes))))
                cluster.wait_for_nodes()  # until it also knows that another one is gone
            case "kill":
                cluster.remove_node(nodes.pop(), allow_graceful=False)
            case "head":
                lost = True
                cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        print(line.strip(), file=out, flush=True)
    if lost:
        for node in nodes:
            node.kill_all_processes(check_alive=False, allow_graceful=False)
    else:
        cluster.shutdown()


if __name__ == "__main__":
    main()
