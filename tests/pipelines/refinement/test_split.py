"""Which corrections are held out, and which interpolated faces may train."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError
from pipelines.refinement import split


def face(frame: int, *, person: int = 0, interpolated: bool = False) -> CorrectedFace:
    points, visible = np.zeros((68, 2)), np.full(68, 2, np.uint8)
    return CorrectedFace(frame, frame / 25, person, points, visible, interpolated)


def frames(faces) -> list[int]:
    return [face.frame for face in faces]


def test_a_fifth_of_the_frames_is_held_out_spread_over_the_video():
    result = split.split([[face(10 * k) for k in range(20)]])
    assert frames(result.held_out[0]) == [20, 70, 120, 170]
    assert len(result.training[0]) == 16
    assert not set(frames(result.held_out[0])) & set(frames(result.training[0]))


def test_whole_frames_are_held_out():
    faces = [face(k, person=p) for k in range(5) for p in (0, 1)]
    result = split.split([faces])
    assert [(f.frame, f.face) for f in result.held_out[0]] == [(2, 0), (2, 1)]
    assert len(result.training[0]) == 8


def test_all_videos_contribute():
    result = split.split([[face(k) for k in range(10)] for _ in range(3)])
    assert [len(faces) for faces in result.held_out] == [2, 2, 2]


def test_few_corrections_are_refused_and_many_are_not_all_held_out():
    few = [[face(0), face(1)], [face(0), face(1, interpolated=True)]]
    with pytest.raises(EthosError, match="only 3 frames have corrections"):
        split.split(few)
    result = split.split([[face(k) for k in range(1000)]])
    assert len(result.held_out[0]) == split.MAX_HELD_OUT


def test_interpolated_faces_that_depend_on_held_out_faces_are_not_used():
    corrected = [face(10 * k) for k in range(5)]  # 20 is held out
    between = [face(k, interpolated=True) for k in (5, 15, 25, 35, 50)]
    other = [face(15, person=1, interpolated=True)]
    result = split.split([corrected + between + other])
    assert frames(result.held_out[0]) == [20]
    assert [(f.frame, f.face) for f in result.interpolated[0]] == [
        (5, 0),
        (15, 1),
        (35, 0),
        (50, 0),
    ]


def test_interpolated_faces_do_not_outnumber_the_corrected_faces():
    faces = [face(100 * k) for k in range(5)]
    faces += [face(k, interpolated=True) for k in range(500) if k % 100]
    result = split.split([faces])
    assert len(result.interpolated[0]) == split.MAX_INTERPOLATED * 4
    assert min(frames(result.interpolated[0])) == 1
    assert max(frames(result.interpolated[0])) == 499
