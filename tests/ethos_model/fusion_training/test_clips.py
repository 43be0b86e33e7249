"""Tests of the clean clips."""

import cv2
import numpy as np
import pytest

from ethos_data.corpora.video import Video
from ethos_data.errors import EthosError
from ethos_model.fusion_training import clips
from ethos_model.fusion_training.clips import LENGTH, Clip, clips_of, draw, moving
from tests.ethos_data import videos
from tests.ethos_model.footage.fusion.heads import head


def video_of(numbers, face=100.0, size=160):
    _, shape = head()
    shape = shape - shape.mean(axis=0)
    shape = shape * np.float32(face / np.sqrt(np.prod(np.ptp(shape[:, :2], axis=0))))
    landmarks = np.stack(
        [
            shape + np.array([size / 2 + 0.2 * k, size / 2, 0])
            for k in range(len(numbers))
        ]
    ).astype(np.float32)
    frames = np.zeros((len(numbers), size, size, 3), np.uint8)
    frames[..., 0] = np.arange(len(numbers))[:, None, None]
    return Video("v.npz", "v", "p", frames, landmarks, None, np.array(numbers), "")


def test_consecutive_frames_are_cut_into_clips():
    numbers = [*range(2 * LENGTH + 5), *range(100, 100 + LENGTH), 300]
    found = clips_of(video_of(numbers), stills=True)
    assert [len(clip.frames) for clip in found] == [LENGTH] * 3
    assert [int(clip.frames[0, 0, 0, 0]) for clip in found] == [0, 24, 53]


def test_single_frames_are_still_images_if_asked_for():
    video = video_of([0, 10, 20])
    assert [len(clip.frames) for clip in clips_of(video, stills=True)] == [1, 1, 1]
    assert clips_of(video, stills=False) == []


def test_frames_without_finite_landmarks_end_a_clip():
    video = video_of(list(range(LENGTH + 4)))
    video.landmarks[10] = np.nan
    assert clips_of(video, stills=False) == []


def test_small_faces_are_left_out_and_large_ones_reduced():
    assert clips_of(video_of([0], face=clips.SMALLEST_FACE - 5), stills=True) == []
    (clip,) = clips_of(video_of([0], face=300, size=600), stills=True)
    assert clip.face_size == pytest.approx(clips.LARGEST_FACE, rel=0.01)


def test_the_cut_out_keeps_landmarks_on_their_pixels():
    image, landmarks = head()
    scale = 100 / 60
    image = cv2.resize(image, None, fx=scale, fy=scale)
    landmarks = clips.resized_points(landmarks, scale)
    video = Video("v", "v", "p", image[None], landmarks[None], None, np.array([0]), "")
    (clip,) = clips_of(video, stills=True)
    x, y = np.rint(landmarks[30, :2]).astype(int)
    u, v = np.rint(clip.landmarks[0, 30, :2]).astype(int)
    inner = clip.frames[0, v - 3 : v + 4, u - 3 : u + 4].astype(int)
    expected = image[y - 3 : y + 4, x - 3 : x + 4].astype(int)
    assert np.abs(inner - expected).mean() < 6


def test_landmarks_follow_a_moving_still_image():
    # A bright spot at a landmark stays at the landmark.
    _, shape = head()
    image = np.full((240, 240, 3), 40, np.uint8)
    points = shape.copy()
    points[:, :2] = shape[:, :2] - shape[:, :2].mean(0) + 120
    x, y = np.rint(points[30, :2]).astype(int)
    points[30, :2] = (x, y)
    cv2.circle(image, (int(x), int(y)), 2, (255, 255, 255), -1)
    clip = moving(Clip("p", image[None], points[None]), np.random.default_rng(0))
    assert len(clip.frames) == LENGTH
    for frame, landmarks in zip(clip.frames, clip.landmarks, strict=True):
        bright = np.maximum(frame[..., 0].astype(float) - 60, 0)
        rows, columns = np.mgrid[:240, :240]
        found = [(bright * columns).sum(), (bright * rows).sum()] / bright.sum()
        np.testing.assert_allclose(found, landmarks[30, :2], atol=0.6)
    assert np.ptp(clip.landmarks[:, 30, 0]) > 3


def test_groups_have_the_same_share_and_clips_do_not_repeat():
    groups = [list("abc"), list("XYZUVW")]
    drawn = [draw(groups, 5, k) for k in range(12)]
    assert sum(clip.isupper() for clip in drawn) == 6
    assert sorted(c for c in drawn if c.isupper()) == sorted("XYZUVW")
    assert sorted(c for c in drawn[:6] if c.islower()) == list("abc")
    assert [draw(groups, 6, k) for k in range(12)] != drawn


def test_names_a_directory_that_does_not_exist(tmp_path):
    with pytest.raises(EthosError, match="missing: no such directory"):
        clips.read([str(tmp_path / "missing")], clips_per_video=4)


def test_a_corpus_of_npz_files_gives_clips(tmp_path):
    videos.write_video(tmp_path / "Ann_1.npz", frames=2, height=300, width=300)
    (found,) = clips.read([str(tmp_path)], clips_per_video=4)
    assert [(clip.person, len(clip.frames)) for clip in found] == [("Ann", 1)] * 2
