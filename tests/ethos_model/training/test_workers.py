"""Two worker processes on one machine train together, stop together and report."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from ethos_model.training import checkpoint
from tests.ethos_model import runs, tiny

TIMEOUT = 240  # seconds; a minute on an idle machine


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for listener in sockets:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def start(
    config,
    workdir,
    count,
    *flags,
    started=None,
    module="tests.ethos_model.tiny",
    **environment,
):
    """Starts worker processes of one training.

    Args:
      config: Path of the configuration.
      workdir: Directory of the run.
      count: Number of workers in TF_CONFIG.
      *flags: Further flags of the command.
      started: Number of workers that are started; None for all.
      module: Module that the processes run.
      **environment: Further environment variables.
    """
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count if started is None else started):
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": workers}, "task": task}
        environment |= {"TF_CONFIG": json.dumps(cluster)}
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    module,
                    f"--config={config}",
                    f"--workdir={workdir}",
                    *flags,
                ],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def read_until(process, stream, text):
    """Reads a stream of a process until a text appears."""
    output = ""
    while text not in output:
        line = stream.readline()
        output += line
        assert line, output + process.communicate()[1][-2000:]


def write_config(directory, data_dir, **changes):
    path = directory / "run.json"
    flags = tiny.FLAGS | {"data_dir": data_dir, "workdir": "x"} | changes
    path.write_text(json.dumps(flags))
    return str(path)


def rows(workdir):
    with open(workdir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_two_workers_and_two_devices_have_the_loss_of_one(
    data_dir, tiny_network, tmp_path
):
    # Each replica draws its own degradations, so they are turned off.
    config = write_config(tmp_path, data_dir, degrade=False)
    devices = start(config, tmp_path / "devices", 1, TINY_DEVICES="2")
    together = start(config, tmp_path / "workers", 2)
    runs.run(data_dir, tmp_path / "alone", degrade=False)
    for process in devices + together:
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, errors[-2000:]
    expected_rows = rows(tmp_path / "alone")
    assert len(expected_rows) == 3
    for actual_rows in (rows(tmp_path / "devices"), rows(tmp_path / "workers")):
        for actual, expected in zip(actual_rows, expected_rows, strict=True):
            for name in ("loss", "landmarks_mae", "depth_mae", "val_loss", "val_nme"):
                # The order of additions differs, and the difference grows with steps.
                value = pytest.approx(float(expected[name]), rel=1e-3)
                assert float(actual[name]) == value


def test_a_lost_worker_ends_the_others_with_one_line(data_dir, tmp_path):
    config = write_config(tmp_path, data_dir, epochs=500)
    workdir = tmp_path / "run"
    chief, other = start(config, workdir, 2)
    read_until(chief, chief.stdout, "Epoch 3/")
    other.send_signal(signal.SIGKILL)
    other.communicate()
    _, errors = chief.communicate(timeout=TIMEOUT)
    assert chief.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert last.startswith("error: the connection to another worker was lost")
    assert "resumes from" in last
    meta = checkpoint.read_meta(str(workdir / "last.npz"))
    assert meta["step"] >= 8
    assert meta["step"] % 4 == 0


def test_all_workers_stop_after_the_same_step(data_dir, tmp_path):
    """A worker that is not the chief receives SIGTERM, and the chief saves the step."""
    config = write_config(tmp_path, data_dir, epochs=500, steps_per_epoch=50)
    workdir = tmp_path / "run"
    chief, other = start(config, workdir, 2)
    read_until(chief, chief.stdout, "Epoch 2/")
    other.send_signal(signal.SIGTERM)
    (_, errors), (_, other_errors) = (
        process.communicate(timeout=TIMEOUT) for process in (chief, other)
    )
    assert other.returncode == 128 + signal.SIGTERM, other_errors
    assert other_errors.endswith("terminated\n")
    assert chief.returncode == 1, errors
    assert "error: another worker was stopped. Step" in errors
    assert checkpoint.read_meta(str(workdir / "last.npz"))["step"] > 50


def test_reports_and_stops_while_another_worker_is_missing(data_dir, tmp_path):
    config = write_config(tmp_path, data_dir)
    first_only = {"started": 1, "module": "ethos_model.train"}  # without TensorFlow
    (waiting,) = start(config, tmp_path / "run", 2, **first_only)
    read_until(waiting, waiting.stderr, "waiting for 127.0.0.1:")
    waiting.send_signal(signal.SIGTERM)
    _, errors = waiting.communicate(timeout=TIMEOUT)
    assert (waiting.returncode, errors) == (128 + signal.SIGTERM, "terminated\n")

    (failing,) = start(
        config, tmp_path / "run", 2, "--connect_timeout=0.5", **first_only
    )
    _, errors = failing.communicate(timeout=TIMEOUT)
    assert failing.returncode == 1
    assert errors.startswith("error: cannot connect to 127.0.0.1:")
    assert errors.count("\n") == 1
