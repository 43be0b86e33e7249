"""A data set that is fetched by several at once; see test_s3 for a real store."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from concurrent import futures

from ethos_data.batches import remote
from ethos_data.storage import files


def test_those_who_fetch_together_do_not_disturb_each_other(tmp_path, monkeypatch):
    store = tmp_path / "store"
    store.mkdir()
    for name in ("ethos_faces-train.tfrecord-00000-of-00001", "dataset_info.json"):
        (store / name).write_text(name)
    fetched = []
    walk = files.walk

    def listed(folder, **options):
        yield from walk(str(store) if folder.startswith("s3://") else folder, **options)

    @contextlib.contextmanager
    def opened(path):
        fetched.append(path)
        with open(store / os.path.basename(path), "rb") as file:
            time.sleep(0.1)  # as a store that is far away
            yield file

    monkeypatch.setattr(files, "walk", listed)
    monkeypatch.setattr(files, "opened", opened)
    monkeypatch.setenv("ETHOS_CACHE", str(tmp_path / "cache"))
    with futures.ThreadPoolExecutor(3) as pool:
        calls = []
        for _ in range(3):
            calls.append(pool.submit(remote.local_copy, "s3://bucket/data"))
            time.sleep(0.05)
        (place,) = {call.result() for call in calls}
    assert sorted(os.listdir(place)) == sorted(os.listdir(store))
    assert len(fetched) == 2  # each file once, whoever came first
    shutil.rmtree(place)
    assert remote.local_copy("s3://bucket/data") == place
