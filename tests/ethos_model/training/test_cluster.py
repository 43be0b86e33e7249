"""TF_CONFIG is checked before TensorFlow is imported, and missing workers are named."""

from __future__ import annotations

import io
import json
import re
import socket
import threading

import pytest

from ethos_data.errors import EthosError
from ethos_model.training import cluster
from ethos_model.training.cluster import Cluster
from tests.waiting import wait_until

TWO = {"worker": ["host1:2222", "host2:2222"]}
FIRST = {"type": "worker", "index": 0}


def read(config):
    return cluster.read({"TF_CONFIG": json.dumps(config)})


@pytest.mark.parametrize("text", [None, "", "{}", '{"task": {"type": "worker"}}'])
def test_a_process_without_a_cluster_trains_alone(text):
    workers = cluster.read({} if text is None else {"TF_CONFIG": text})
    assert workers.addresses == ()
    assert workers.is_chief


@pytest.mark.parametrize(
    ("jobs", "task", "expected"),
    [
        (TWO, FIRST, Cluster(("host1:2222", "host2:2222"), 0)),
        (TWO, {"type": "worker", "index": 1}, Cluster(("host1:2222", "host2:2222"), 1)),
        ({"worker": ["[::1]:1"]}, FIRST, Cluster(("[::1]:1",), 0)),
        (TWO | {"chief": ["c:1"]}, FIRST, Cluster(("c:1", *TWO["worker"]), 1)),
        (
            TWO | {"chief": ["c:1"]},
            {"type": "chief", "index": 0},
            Cluster(("c:1", *TWO["worker"]), 0),
        ),
    ],
)
def test_reads_the_workers_and_the_position_of_this_process(jobs, task, expected):
    workers = read({"cluster": jobs, "task": task})
    assert workers == expected
    assert workers.is_chief == (expected.index == 0)
    own = expected.addresses[expected.index]
    assert {*workers.peers, own} == set(expected.addresses)
    assert own not in workers.peers


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([1], r"the value must be a JSON object. Received: \[1\]"),
        ({"cluster": ["a:1"]}, r"cluster must be a JSON object. Received: \[\"a:1\"\]"),
        ({"cluster": {"worker": "a:1"}}, 'cluster.worker must be a list .* "a:1"'),
        ({"cluster": {"worker": []}}, r"cluster.worker must be a list .* \[\]"),
        ({"cluster": {"worker": ["a:1", "b"]}}, 'item of cluster.worker .* "b"'),
        ({"cluster": {"worker": ["a:99999"]}}, 'item of cluster.worker .* "a:99999"'),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, r"repeated addresses.* \[\"a:1\"\]"),
        ({"cluster": {"ps": ["a:1"]}}, 'only "chief" and "worker". Received: "ps"'),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, "cluster.chief must be a list of one"),
        ({"cluster": TWO}, "task must be a JSON object .* Received: null"),
        ({"cluster": TWO, "task": "worker"}, 'task must be .* Received: "worker"'),
        (
            {"cluster": TWO, "task": {"type": "boss", "index": 0}},
            'task.type must be "worker". Received: "boss"',
        ),
        (
            {"cluster": TWO, "task": {"type": "worker", "index": 2}},
            "task.index must be an integer from 0 to 1 for 2 worker addresses. "
            "Received: 2",
        ),
        (
            {"cluster": TWO, "task": {"type": "worker", "index": "0"}},
            'task.index must be .* Received: "0"',
        ),
        (
            {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}},
            "task.index must be an integer from 0 to 0",
        ),
    ],
)
def test_names_the_invalid_part(config, problem):
    with pytest.raises(EthosError, match=f"TF_CONFIG: .*{problem}") as error:
        read(config)
    assert "\n" not in str(error.value)


def test_names_invalid_json():
    with pytest.raises(EthosError, match="TF_CONFIG is not valid JSON"):
        cluster.read({"TF_CONFIG": "{cluster: "})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_workers_find_each_other_whichever_starts_first(monkeypatch):
    monkeypatch.setattr(cluster, "_FIRST_REPORT_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "_RETRY_SECONDS", 0.05)
    addresses = tuple(f"127.0.0.1:{free_port()}" for _ in range(2))
    text = io.StringIO()
    first = threading.Thread(
        target=cluster.connect,
        args=(Cluster(addresses, 0), 30),
        kwargs={"stream": text},
    )
    first.start()
    wait_until(lambda: "waiting" in text.getvalue())
    cluster.connect(Cluster(addresses, 1), 30, stream=io.StringIO())
    # TensorFlow opens the port of a worker that has found its peers.
    with socket.create_server(("127.0.0.1", int(addresses[1].split(":")[1]))):
        first.join()
    assert re.fullmatch(rf"(waiting for {addresses[1]} \(\d+ s\)\n)+", text.getvalue())


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_names_a_worker_that_cannot_be_reached(host, monkeypatch):
    monkeypatch.setattr(cluster, "_RETRY_SECONDS", 0.05)
    missing = f"{host}:{free_port()}"
    addresses = (f"127.0.0.1:{free_port()}", missing)
    with pytest.raises(EthosError, match=rf"cannot connect to {missing} \(.+\) within"):
        cluster.connect(Cluster(addresses, 0), 0.2)


def test_names_a_port_that_is_in_use():
    with socket.create_server(("", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(EthosError, match=f"cannot listen at {address}: .*in use"):
            cluster.connect(Cluster((address, "127.0.0.1:1"), 0), 1)
