"""The workers of a distributed run, as TF_CONFIG describes them.

Nothing here imports TensorFlow. TensorFlow itself waits for missing workers without a
message, without an end and without a reaction to Ctrl-C. `connect` therefore waits with
plain sockets until all workers are present.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, TextIO

from ethos_data.errors import EthosError

VARIABLE: Final = "TF_CONFIG"

_JOBS: Final = ("chief", "worker")
"""Types of tasks that train."""

_FIRST_REPORT_SECONDS: Final = 2.0
_REPORT_SECONDS: Final = 10.0
"""Seconds before the first message about missing workers, and between two messages."""

_RETRY_SECONDS: Final = 0.5
_ATTEMPT_SECONDS: Final = 2.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run, and the place of this process among them.

    Attributes:
      addresses: "host:port" of each worker. The chief is the first.
      index: Position of this process in `addresses`.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.index == 0

    @property
    def peers(self) -> tuple[str, ...]:
        """Addresses of the other workers."""
        return self.addresses[: self.index] + self.addresses[self.index + 1 :]


def read(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Reads TF_CONFIG.

    Example of a valid value:
      {"cluster": {"worker": ["host1:2222", "host2:2222"]},
       "task": {"type": "worker", "index": 0}}

    Args:
      environment: Environment variables.

    Returns:
      The cluster. Its list of addresses is empty if TF_CONFIG is not set or contains no
      cluster: the process trains alone.

    Raises:
      EthosError: Names the invalid part of TF_CONFIG.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return Cluster((), 0)
    try:
        config = json.loads(text)
    except ValueError as error:
        raise EthosError(f"{VARIABLE} is not valid JSON: {error}") from None
    _require(isinstance(config, dict), "the value", "a JSON object", config)
    jobs = config.get("cluster")
    if not jobs:
        return Cluster((), 0)
    _check_jobs(jobs)
    kind, index = _task(config, jobs)
    before = len(jobs["chief"]) if kind == "worker" and "chief" in jobs else 0
    addresses = [*jobs.get("chief", ()), *jobs.get("worker", ())]
    return Cluster(tuple(addresses), before + index)


def _check_jobs(jobs: Any) -> None:
    """Checks the "cluster" part of TF_CONFIG."""
    _require(isinstance(jobs, dict), "cluster", "a JSON object", jobs)
    for job, addresses in jobs.items():
        _require(job in _JOBS, "a key of cluster", 'only "chief" and "worker"', job)
        part = f"cluster.{job}"
        is_list = isinstance(addresses, list) and len(addresses) > 0
        _require(is_list, part, 'a list of "host:port"', addresses)
        for address in addresses:
            _require(_is_address(address), f"an item of {part}", '"host:port"', address)
    chiefs = jobs.get("chief", [""])
    _require(len(chiefs) == 1, "cluster.chief", "a list of one address", chiefs)
    flat = [address for addresses in jobs.values() for address in addresses]
    twice = sorted({address for address in flat if flat.count(address) > 1})
    _require(not twice, "cluster", "without repeated addresses", twice)


def _task(config: dict[str, Any], jobs: dict[str, list[str]]) -> tuple[str, int]:
    """Checks the "task" part of TF_CONFIG and returns its type and index."""
    task: Any = config.get("task")
    example = 'a JSON object such as {"type": "worker", "index": 0}'
    _require(isinstance(task, dict), "task", example, task)
    kind: Any = task.get("type")
    index: Any = task.get("index")
    known = " or ".join(f'"{job}"' for job in jobs)
    _require(isinstance(kind, str) and kind in jobs, "task.type", known, kind)
    count = len(jobs[kind])
    limit = f"an integer from 0 to {count - 1} for {count} {kind} addresses"
    is_index = type(index) is int and 0 <= index < count
    _require(is_index, "task.index", limit, index)
    return kind, index


def _is_address(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _require(condition: bool, part: str, expected: str, value: Any) -> None:
    if not condition:
        raise EthosError(
            f"{VARIABLE}: {part} must be {expected}. Received: {json.dumps(value)}"
        )


def connect(cluster: Cluster, timeout: float, *, stream: TextIO | None = None) -> None:
    """Waits until every other worker has started.

    Meanwhile it listens at the address of this worker, so that the other workers find
    it. TensorFlow opens the same port later.

    Args:
      cluster: The workers.
      timeout: Maximum time to wait, in seconds.
      stream: Where to report the workers that are missing; None for stderr.

    Raises:
      EthosError: A worker is still missing, or the port of this worker is in use.
    """
    stream = stream or sys.stderr
    start = time.monotonic()
    next_report = start + _FIRST_REPORT_SECONDS
    missing = cluster.peers
    with _listening(cluster.addresses[cluster.index]):
        while True:
            problems = {address: _connection_problem(address) for address in missing}
            missing = tuple(address for address in missing if problems[address])
            if not missing:
                return
            now = time.monotonic()
            if now - start >= timeout:
                reasons = ", ".join(f"{a} ({problems[a]})" for a in missing)
                raise EthosError(
                    f"cannot connect to {reasons} within {timeout:g} s. Start the same "
                    "command on every worker, or increase --connect_timeout"
                )
            if now >= next_report:
                names = ", ".join(missing)
                print(f"waiting for {names} ({now - start:.0f} s)", file=stream)
                stream.flush()
                next_report = now + _REPORT_SECONDS
            time.sleep(min(_RETRY_SECONDS, timeout))


def _connection_problem(address: str) -> str:
    """Tries to connect to a worker.

    Returns:
      The reason why that fails, or "" if the worker answers.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ATTEMPT_SECONDS):
            return ""
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    """Accepts connections at the port of this worker inside the block."""
    port = int(address.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(
            ("", port), family=family, backlog=128, dualstack_ipv6=both
        )
    except OSError as error:
        raise EthosError(
            f"{VARIABLE}: this worker cannot listen at {address}: "
            f"{error.strerror or error}"
        ) from None
    # The kernel completes connections without accept(), which is all that is needed.
    with server:
        yield
