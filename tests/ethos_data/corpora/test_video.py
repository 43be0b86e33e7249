"""The ids of a video and the selection of its frames."""

import numpy as np
import pytest

from ethos_data.corpora.video import (
    CorpusError,
    person_id_of,
    select_frames,
    video_id_of,
)


@pytest.mark.parametrize(
    ("path", "video_id", "person_id"),
    [
        ("a/b.c/Anna_0.npz", "Anna_0", "Anna"),
        ("Anna_Maria_0.NPZ", "Anna_Maria_0", "Anna_Maria"),
        ("s3://faces/corpus/Jörg_12.mp4", "Jörg_12", "Jörg"),
        ("Anna.npz", "Anna", "Anna"),
    ],
)
def test_ids_come_from_the_name_of_the_file(path, video_id, person_id):
    assert video_id_of(path) == video_id
    assert person_id_of(video_id) == person_id


@pytest.mark.parametrize(
    ("total", "stride", "max_frames", "expected"),
    [
        (5, 1, None, [0, 1, 2, 3, 4]),
        (5, 2, None, [0, 2, 4]),
        (10, 1, 3, [0, 3, 6]),
        (10, 3, 2, [0, 6]),
        (3, 1, 9, [0, 1, 2]),
        (0, 1, 4, []),
    ],
)
def test_selected_frames_are_evenly_spaced(total, stride, max_frames, expected):
    frames = select_frames(total, stride, max_frames)
    np.testing.assert_array_equal(frames, expected)


def test_an_error_is_one_printable_line():
    error = CorpusError("a\nb.npz", "has no x\x1b[31m")
    assert str(error) == "a\N{REPLACEMENT CHARACTER}b.npz: " + error.reason
    assert str(error).isprintable()
