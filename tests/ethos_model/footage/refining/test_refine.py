import dataclasses
import itertools

import numpy as np
import pytest

from ethos_model.footage import smooth_track
from ethos_model.footage.refining import refine as refining
from ethos_model.footage.refining.refine import refine
from tests.ethos_model.footage.refining.frames import Film, frames, tracked, walk
from tests.ethos_model.footage.world import box_at


def noisy_film(count, gap=()):
    """A person who stands, with noise; not found in the frames of `gap`."""
    rng = np.random.default_rng(0)
    entries = []
    for index in range(count):
        face = tracked(1, box_at(60))
        noise = rng.normal(0, 0.3, (68, 3)).astype(np.float32)
        landmarks = face.face.landmarks + noise
        face = dataclasses.replace(
            face, face=dataclasses.replace(face.face, landmarks=landmarks)
        )
        entries.append([] if index in gap else [face])
    return frames(entries)


def landmarks_of(entries):
    return np.array([frame.faces[0].face.landmarks for frame in entries])


def no_reading(indices):
    raise AssertionError(f"frames {indices} must not be read")


def test_landmarks_are_smoothed_with_past_and_future_frames():
    film = noisy_film(60)
    result = list(refine(film, no_reading, Film()))
    raw = landmarks_of(film)
    times = np.array([frame.timestamp for frame in film])
    sigma = np.array([frame.faces[0].face.uncertainty for frame in film])
    expected = smooth_track(times, raw, sigma)
    np.testing.assert_allclose(landmarks_of(result), expected, atol=1e-3)
    plain = list(refine(film, no_reading, Film(), smoothing=False))
    np.testing.assert_array_equal(landmarks_of(plain), raw)


def test_blocks_do_not_change_the_result(monkeypatch):
    film = noisy_film(130)
    whole = landmarks_of(refine(film, no_reading, Film()))
    monkeypatch.setattr(refining, "BLOCK", 30)
    parts = list(refine(film, no_reading, Film()))
    assert [frame.index for frame in parts] == list(range(130))
    np.testing.assert_allclose(landmarks_of(parts), whole, atol=0.02)


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 326])
def test_every_frame_is_returned_once(count):
    film = frames([[]] * count)
    result = refine(film, no_reading, Film())
    assert [frame.index for frame in result] == list(range(count))


def test_only_some_frames_are_read_ahead():
    taken = []
    film = (taken.append(frame) or frame for frame in frames([[]] * 1000))
    first = list(itertools.islice(refine(film, no_reading, Film()), 100))
    assert len(first) == 100
    assert len(taken) == refining.BLOCK + refining.CONTEXT


def test_gaps_across_the_end_of_a_block_are_filled(monkeypatch):
    monkeypatch.setattr(refining, "BLOCK", 30)
    gap = range(25, 35)
    film = frames(
        [[] if i in gap else [tracked(1, walk(i))] for i in range(60)],
    )
    video = Film()
    result = list(refine(film, video.read, video))
    assert all(len(frame.faces) == 1 for frame in result)
    assert np.abs(result[30].faces[0].box - walk(30)).max() < 2


def test_smoothing_does_not_join_two_shots():
    film = frames(
        [[tracked(1, box_at(60 if i < 20 else 160))] for i in range(40)], cuts=[20]
    )
    result = list(refine(film, no_reading, Film()))
    np.testing.assert_allclose(result[19].faces[0].box, box_at(60), atol=0.1)
    np.testing.assert_allclose(result[20].faces[0].box, box_at(160), atol=0.1)


@pytest.mark.parametrize("place", [range(5), range(55, 60)])
def test_a_short_unsure_face_at_an_end_of_the_video_is_removed(place):
    film = frames([[tracked(1, walk(i))] for i in range(60)])
    for index in place:
        faces = (*film[index].faces, tracked(2, box_at(200), sigma=0.07))
        film[index] = dataclasses.replace(film[index], faces=faces)
    result = list(refine(film, no_reading, Film()))
    assert all(len(frame.faces) == 1 for frame in result)


def test_numbers_are_those_that_were_known_later():
    film = frames([[tracked(2, walk(i))] for i in range(10)], renumbered={2: 1})
    assert {frame.faces[0].id for frame in refine(film, no_reading, Film())} == {1}
