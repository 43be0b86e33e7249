import cv2
import numpy as np
import pytest

from ethos_data.degrade import source
from gui.degradation import SLIDERS, Degradation, disk_kernel


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_nothing_changes_nothing(frame):
    assert Degradation().is_identity
    assert Degradation(motion_angle=40).is_identity
    assert Degradation().apply(frame, 3) is frame


def test_meets_the_published_conditions(frame):
    low = Degradation(low_resolution=4).apply(frame, 0)
    np.testing.assert_array_equal(low, source.downsample4(frame))
    dark = Degradation(darkness=0.8).apply(frame, 7)
    assert np.abs(dark.astype(int) - source.dark5(frame, 7)).max() <= 1
    angle = np.random.default_rng(5).uniform(0, np.pi)
    blur = Degradation(motion_blur=15, motion_angle=np.degrees(angle)).apply(frame, 0)
    np.testing.assert_array_equal(blur, source.blur15(frame, 5))


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda s: s.name)
def test_every_slider_does_more_the_further_it_goes(frame, slider):
    middle = slider.neutral + 0.4 * (slider.strongest - slider.neutral)

    def change(value):
        worse = Degradation(**({"motion_blur": 9.0} | {slider.name: value}))
        image = worse.apply(frame, 0)
        assert image.shape == frame.shape
        assert image.dtype == np.uint8
        start = Degradation(motion_blur=9.0).apply(frame, 0)
        return np.abs(image.astype(int) - start).mean()

    if slider.name == "motion_angle":  # half a turn is no turn
        assert change(90) > 0.5
        assert change(180) < 0.1
        return
    neutral = 9.0 if slider.name == "motion_blur" else slider.neutral
    assert change(neutral) == 0
    assert 0 < change(middle) < change(slider.strongest)


def test_noise_is_the_same_for_the_same_frame_and_another_for_the_next(frame):
    noisy = Degradation(noise=20)
    np.testing.assert_array_equal(noisy.apply(frame, 4), noisy.apply(frame, 4))
    assert (noisy.apply(frame, 4) != noisy.apply(frame, 5)).any()
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert noisy.apply(grey, 0).std() == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize("radius", [0.5, 2.0, 5.3])
def test_a_disk_moves_nothing(radius):
    kernel = disk_kernel(radius)
    reach = kernel.shape[0] // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    assert kernel.sum() == pytest.approx(1)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-6)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-6)


def test_flags_of_the_command_say_the_same():
    from gui.annotate import parser

    wanted = Degradation(low_resolution=3.5, darkness=0.25, compression=60)
    flags = ["v.mp4", *wanted.flags()]
    args = vars(parser().parse_args(flags))
    assert Degradation(**{s.name: args[s.name] for s in SLIDERS}) == wanted
