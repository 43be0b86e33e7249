"""Rendered heads are rendered once and then read from the cache."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pipelines.refinement import heads


@pytest.fixture
def few(monkeypatch):
    """Renders 3 people with 2 frames."""
    for name, value in (("PEOPLE", 3), ("HELD_OUT_PEOPLE", 1), ("FRAMES", 2)):
        monkeypatch.setattr(heads, name, value)


def test_heads_are_rendered_once(few, tmp_path):
    calls: list[tuple[int, int]] = []
    cache = str(tmp_path / "cache")
    first = heads.load(cache, lambda *done: calls.append(done))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert [r.person_id for r in first.training] == ["head_0"] * 2 + ["head_1"] * 2
    assert {r.person_id for r in first.held_out} == {"head_2"}
    second = heads.load(cache, lambda *done: pytest.fail("rendered again"))
    for record, other in zip(first.training, second.training, strict=True):
        np.testing.assert_array_equal(record.image, other.image)
        np.testing.assert_array_equal(record.landmarks, other.landmarks)
        np.testing.assert_array_equal(record.depth, other.depth)
    assert np.isfinite(first.training[0].depth).any()
    # The frames of a person differ in pose.
    difference = first.training[0].landmarks - first.training[1].landmarks
    assert np.abs(difference).max() > 0.01
    assert os.listdir(cache) == [os.path.basename(heads.cache_path(cache))]


def test_a_damaged_cache_is_written_again(few, tmp_path):
    heads.load(str(tmp_path), lambda *done: None)
    path = heads.cache_path(str(tmp_path))
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.truncate(size // 2)
    assert len(heads.load(str(tmp_path), lambda *done: None).training) == 4
    assert os.path.getsize(path) == size


def test_a_cache_that_cannot_be_written_is_not_needed(few, tmp_path):
    (tmp_path / "file").touch()
    result = heads.load(str(tmp_path / "file" / "cache"), lambda *done: None)
    assert len(result.training) == 4
