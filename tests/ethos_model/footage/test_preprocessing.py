import numpy as np

from ethos_model.footage import preprocessing
from ethos_model.footage.regions import Region


def test_stretch_uses_the_range_of_grey_levels():
    ramp = np.broadcast_to(np.linspace(100, 130, 256)[:, None], (128, 256, 3))
    ramp = ramp.astype(np.uint8)
    levels = preprocessing.stretched(ramp)
    assert levels.min() < 10
    assert levels.max() > 210
    assert (np.diff(levels[0, :, 0].astype(int)) >= 0).all()


def test_stretch_brightens_a_dark_image_with_a_lamp():
    image = np.broadcast_to(np.linspace(2, 20, 128)[:, None], (128, 128, 3))
    image = image.astype(np.uint8)
    image[:16, 112:] = 255
    assert preprocessing.stretched(image)[100, 64, 0] > 40


def test_stretch_amplifies_little_noise():
    noise = np.random.default_rng(0).normal(30, 1, (256, 256, 3))
    image = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
    assert preprocessing.stretched(image).std() < 60


def test_smoothing_removes_more_noise_of_the_colour_than_of_the_brightness():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.normal(128, 20, (200, 200, 1)), 3, axis=2)
    image = np.clip(grey, 0, 255).astype(np.uint8)
    smooth = preprocessing.smoothed(image)
    assert np.abs(np.ptp(smooth.astype(int), axis=2)).max() <= 2  # grey stays grey
    # The deviation of noise falls to the norm of the filter.
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    norm = (taps**2).sum() / taps.sum() ** 2
    assert np.isclose(smooth[..., 0].std() / image[..., 0].std(), norm, rtol=0.05)
    colour = np.array([1.0, -0.51, 0.0])  # of equal brightness: 0.299 R + 0.587 G
    noise = rng.normal(0, 20, (200, 200, 1)) * colour
    image = np.clip(128 + noise, 0, 255).astype(np.uint8)
    taps = np.exp(-(np.arange(-4, 5) ** 2) / 8)
    norm = (taps**2).sum() / taps.sum() ** 2
    red = preprocessing.smoothed(image)[..., 0]
    assert np.isclose(red.std() / image[..., 0].std(), norm, rtol=0.15)


def test_smoothing_does_not_round_a_dark_frame_to_its_few_levels():
    rng = np.random.default_rng(0)
    dark = np.linspace(1, 5, 200) + rng.normal(0, 1.2, (160, 200))
    frame = np.repeat(np.clip(np.rint(dark), 0, 255)[..., None], 3, axis=2)
    image = preprocessing.searched_image(
        frame.astype(np.uint8), Region(0, 0, 200, 160, 1.0)
    )
    assert len(np.unique(image[..., 0])) > 100
