"""The benchmark of depth in videos: its measures and its table."""

import numpy as np
import pytest

from benchmarks import clip_depth, video_depth
from ethos_data.corpora.video import Video
from ethos_data.depth import prior, zbuffer

SIZE, FACE, FRAMES = 96, 40, 3


def _clip(offset: float) -> Video:
    """The mean face at rest. Its depth is wrong by `offset` face sizes at the left."""
    model = prior.shipped()
    points = model.mean * (FACE, -FACE, FACE) + (SIZE / 2 - 0.5, SIZE / 2 - 0.5, 0)
    unit = (points + np.array([0.5, 0.5, 0])) / SIZE
    depth = SIZE * zbuffer.rasterize(unit[68:], model.triangles, SIZE)
    depth[:, : SIZE // 2] += offset * FACE
    return Video(
        path="clip.npz",
        video_id="clip",
        person_id="clip",
        frames=np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8),
        landmarks=np.repeat(points[None, :68], FRAMES, axis=0).astype(np.float32),
        depth=np.repeat(depth[None], FRAMES, axis=0),
        frame_numbers=np.arange(FRAMES),
        fingerprint="",
    )


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_errors_are_in_percent_of_the_face_size(offset):
    errors = clip_depth.depth_errors(_clip(offset), (0.0, 0.0), seed=0)
    half = errors.shape[-1] // 2
    assert np.nanmedian(errors[:, :, : half - 3]) == pytest.approx(
        -100 * offset, abs=0.3
    )
    assert np.nanmedian(errors[:, :, half + 3 :]) == pytest.approx(0, abs=0.3)


def test_a_clip_at_rest_repeats_its_first_frame():
    clip = _clip(0.0)
    clip.landmarks[1:] += 5
    rest = clip_depth.at_rest(clip)
    assert (rest.landmarks == clip.landmarks[0]).all()
    assert len(rest.frames) == FRAMES


def test_jitter_is_the_mean_second_difference():
    errors = np.array([0.0, 1.0, 0.0, np.nan]).reshape(4, 1, 1)
    assert clip_depth._jitter(errors) == 2


def test_the_table_contains_the_medians_of_both_checkouts():
    rounds = [{"row": {"jitter %": value}} for value in (1.0, 5.004, 2.0)]
    now, before = video_depth.table(video_depth.combine(rounds), {"row": {"a": 1.0}})
    assert now == {"row": {"jitter %": 2.0}}
    assert before == {"row": {"before: a": 1.0}}
