"""A Ray cluster of several nodes on this machine, in a process of its own that takes orders.

Run as a script by `cluster_tools.Nodes`: it prints the address, then does what each line of
its standard input says, and ends with it. It is no child of the tests', as a cluster would not be.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile

#: Bytes of a node's object store.
STORE = 100 << 20


def main() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    folder = tempfile.mkdtemp(prefix="bb", dir="/tmp")
    os.environ["RAY_TMPDIR"] = folder  # Ray puts a folder of its own there.
    os.mkdir(os.path.join(folder, "ray"))
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE, "include_log_monitor": False}
    head, *processors = [int(one) for one in sys.argv[1:]]
    cluster = Cluster()
    try:
        cluster.add_node(**{**node, "num_cpus": head, "include_dashboard": False})
        others = [cluster.add_node(**{**node, "num_cpus": each}) for each in processors]
        answer({"address": cluster.address, "nodes": [seen(one) for one in others]})
        for line in sys.stdin:
            order, _, argument = line.strip().partition(" ")
            if order == "add":
                others.append(cluster.add_node(**node))
                answer(seen(others[-1]))
            elif order == "kill":
                gone = next(one for one in others if seen(one)["id"] == argument)
                others.remove(gone)
                cluster.remove_node(gone, allow_graceful=False)
                answer(None)
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def seen(node) -> dict[str, object]:
    raylet = node.all_processes["raylet"][0].process
    return {"id": node.node_id, "raylet": raylet.pid}


def answer(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
