"""COCO files that were merged from others or contain impossible values."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ethos_data.corpora import formats
from ethos_data.corpora.source import Listing, Source
from tests.ethos_data.corpora import layouts
from tests.ethos_data.corpora.test_formats import read_all

FILE = "annotations/coco_wholebody_val_v1.0.json"


def change(directory: pathlib.Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Writes the corpus and edits its COCO file. It has the ids 100 to 103 and 200."""
    layouts.coco(directory)
    document = json.loads((directory / FILE).read_text())
    edit(document)
    (directory / FILE).write_text(json.dumps(document))


def find(directory: pathlib.Path) -> list[Source]:
    return formats.find_sources(Listing(str(directory)), "coco", None)


def test_annotations_with_the_same_id_are_different_faces(tmp_path):
    def edit(document):
        first, _, third, fourth, _ = document["annotations"]
        third["id"] = 100
        fourth |= {"id": 100, "image_id": first["image_id"]}

    change(tmp_path, edit)
    sources = find(tmp_path)
    assert [source.path for source in sources] == [
        f"{FILE}#100",
        f"{FILE}#101",
        f"{FILE}#100@2",
        f"{FILE}#100@3",
    ]
    assert not any(source.problem for source in sources)
    assert len({source.video_id for source in sources}) == 4
    assert len({source.person_id for source in sources}) == 4
    assert find(tmp_path) == sources
    parts = read_all(tmp_path, "coco")
    for part, seed in zip(parts, (0, 1, 2, 3), strict=True):
        known = part.visible[0] > 0
        expected = layouts.landmarks(seed)[known, :2]
        np.testing.assert_allclose(part.landmarks[0, known, :2], expected, atol=1e-4)


def test_a_copy_of_an_annotation_is_rejected(tmp_path):
    def edit(document):
        annotations = document["annotations"]
        annotations += [annotations[1] | {"note": "other"}, annotations[1]]
        annotations.append(annotations[-2])

    change(tmp_path, edit)
    problems = {source.path: source.problem for source in find(tmp_path)}
    assert {path: text for path, text in problems.items() if "@" in path} == {
        f"{FILE}#101@5": "",
        f"{FILE}#101@6": f"is a copy of {FILE}#101",
        f"{FILE}#101@7": f"is a copy of {FILE}#101",
    }


def test_the_image_of_an_annotation_must_be_certain(tmp_path):
    def edit(document):
        images = document["images"]
        images[1]["id"] = images[0]["id"]
        images.append(dict(images[2]))  # the same file again

    change(tmp_path, edit)
    problems = [source.problem for source in find(tmp_path)]
    assert problems == [
        "several images have the id 10",
        "is not a COCO annotation: 11",
        "",
        "",
    ]


@pytest.mark.parametrize("value", ["12px", -5, float("inf"), None, [3]])
def test_an_impossible_size_of_an_image_is_unknown(value, tmp_path):
    change(tmp_path, lambda document: document["images"][0].update(height=value))
    sources = find(tmp_path)
    assert [source.height for source in sources] == [0] + [layouts.HEIGHT] * 3
    assert not any(source.problem for source in sources)


def test_an_annotation_that_is_not_an_object_takes_no_name(tmp_path):
    def edit(document):
        document["annotations"][0] = 7
        document["annotations"][1]["id"] = 0

    change(tmp_path, edit)
    names = [source.path for source in find(tmp_path)]
    assert names == [f"{FILE}#{n}" for n in ("0", "0@1", "102", "103")]
