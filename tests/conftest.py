"""Divides the test files among the processes of pytest-xdist."""

from __future__ import annotations

import pytest

SLOW = (
    "tests/test_other_user.py",
    "tests/pipelines/test_demo.py",
    "tests/ethos_model/training/test_interruptions.py",
    "tests/ethos_model/training/test_workers.py",
    "tests/ethos_model/test_train.py",
    "tests/pipelines/test_s3.py",
)
"""Files that take longest. They come first, so that the processes end together."""

EXPORTED = (
    "tests/ethos_model/exported/",
    "tests/ethos_model/test_export.py",
    "tests/ethos_model/training/test_initial.py",
    "tests/ethos_model/training/test_preflight.py",
)
"""Files that use the fixture `exported`. One process runs them, because the export of a
model takes long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the slow files first, in the order of the list."""
    place = {path: number for number, path in enumerate(SLOW)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(SLOW)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Distributes whole files with --dist loadfile."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = super()._split_scope(nodeid)
            return "exported" if path.startswith(EXPORTED) else path

    return Scheduling(config, log)
