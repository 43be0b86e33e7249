"""Two real worker processes on loopback: the same training as one, and a clear end."""

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
from tests.ethos_model import tiny

TIMEOUT = 240  # seconds; a minute on a machine that does nothing else


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(config, workdir, count, **environment):
    """Starts `count` workers of one training."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": workers}, "task": task}
        environment |= {"TF_CONFIG": json.dumps(cluster)}
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.ethos_model.tiny",
                    f"--config={config}",
                    f"--workdir={workdir}",
                ],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def rows(workdir):
    with open(workdir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_two_workers_and_two_devices_have_the_loss_of_one(data_dir, tmp_path):
    # Each replica draws degradations of its own, so they are left out here.
    flags = tiny.FLAGS | {"data_dir": data_dir, "degrade": False, "workdir": "x"}
    config = tmp_path / "run.json"
    config.write_text(json.dumps(flags))
    alone = start(str(config), tmp_path / "one", 1)
    devices = start(str(config), tmp_path / "devices", 1, TINY_DEVICES="2")
    together = start(str(config), tmp_path / "workers", 2)
    for process in alone + devices + together:
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, errors[-2000:]
    one = rows(tmp_path / "one")
    assert len(one) == 3
    for many in (rows(tmp_path / "devices"), rows(tmp_path / "workers")):
        for mine, theirs in zip(one, many, strict=True):
            for name in ("loss", "landmarks_mae", "depth_mae", "val_loss", "val_nme"):
                # The order of sums differs, and twelve steps carry it on.
                wanted = pytest.approx(float(mine[name]), rel=1e-3)
                assert float(theirs[name]) == wanted


def test_a_lost_worker_ends_the_others_clearly_and_the_run_resumes(data_dir, tmp_path):
    flags = tiny.FLAGS | {"data_dir": data_dir, "epochs": 500, "workdir": "x"}
    config = tmp_path / "run.json"
    config.write_text(json.dumps(flags))
    workdir = tmp_path / "run"
    chief, other = start(str(config), workdir, 2)
    seen = ""
    while "Epoch 3/" not in seen:
        seen += (line := chief.stdout.readline())
        assert line, chief.communicate()[1][-2000:]
    other.send_signal(signal.SIGKILL)
    other.communicate()
    _, errors = chief.communicate(timeout=TIMEOUT)
    assert chief.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert last.startswith("error: training with the other workers broke off")
    assert "resumes from" in last
    _, meta = checkpoint.read(str(workdir / "last.npz"))
    assert meta["step"] >= 8
    assert meta["step"] % 4 == 0
