import cv2
import numpy as np
import pytest

from ethos_data import options
from ethos_data.degrade import source
from gui.degradation import SLIDERS, VideoDegradation, disk_kernel


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_the_defaults_change_nothing(frame):
    assert VideoDegradation().is_identity
    assert VideoDegradation(motion_angle=40).is_identity
    assert VideoDegradation().apply(frame, 3) is frame


def test_equals_the_fixed_conditions_of_the_evaluation(frame):
    low = VideoDegradation(low_resolution=4).apply(frame, 0)
    np.testing.assert_array_equal(low, source.downsample4(frame))
    dark = VideoDegradation(darkness=0.8).apply(frame, 7)
    assert np.abs(dark.astype(int) - source.dark5(frame, 7)).max() <= 1
    angle = np.degrees(np.random.default_rng(5).uniform(0, np.pi))
    blur = VideoDegradation(motion_blur=15, motion_angle=angle).apply(frame, 0)
    np.testing.assert_array_equal(blur, source.blur15(frame, 5))


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda s: s.name)
def test_the_effect_grows_with_the_slider(frame, slider):
    middle = slider.neutral + 0.4 * (slider.strongest - slider.neutral)
    # The angle of the blur has an effect only where there is blur.
    blurred = VideoDegradation(motion_blur=9.0).apply(frame, 0)

    def change(value):
        settings = {"motion_blur": 9.0} | {slider.name: value}
        image = VideoDegradation(**settings).apply(frame, 0)
        assert image.shape == frame.shape
        assert image.dtype == np.uint8
        return np.abs(image.astype(int) - blurred).mean()

    if slider.name == "motion_angle":
        assert change(90) > 0.5
        assert change(180) < 0.1  # the same line as 0 degrees
        return
    neutral = 9.0 if slider.name == "motion_blur" else slider.neutral
    assert change(neutral) == 0
    assert 0 < change(middle) < change(slider.strongest)


def test_noise_depends_only_on_the_frame_number(frame):
    noisy = VideoDegradation(noise=20)
    np.testing.assert_array_equal(noisy.apply(frame, 4), noisy.apply(frame, 4))
    assert (noisy.apply(frame, 4) != noisy.apply(frame, 5)).any()
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert noisy.apply(grey, 0).std() == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize("radius", [0.5, 2.0, 5.3])
def test_the_disk_kernel_is_centred_and_sums_to_one(radius):
    kernel = disk_kernel(radius)
    reach = kernel.shape[0] // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    assert kernel.sum() == pytest.approx(1)
    assert (kernel * x).sum() == pytest.approx(0, abs=1e-6)
    assert (kernel * y).sum() == pytest.approx(0, abs=1e-6)


def test_the_flags_select_the_same_degradation():
    from gui.annotate import parser

    degradation = VideoDegradation(low_resolution=3.5, darkness=0.25, compression=60)
    namespace = parser().parse_args(["v.mp4", *degradation.flags()])
    assert options.from_flags(VideoDegradation, namespace) == degradation


def test_each_field_has_a_slider():
    assert {s.name for s in SLIDERS} == set(options.describe(VideoDegradation))
    assert SLIDERS[0].format(1.0) == "off"
    assert SLIDERS[1].format(0.5) == "50%"
