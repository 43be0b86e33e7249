"""Compares each degradation with an independent computation: OpenCV, numpy, Pillow."""

from __future__ import annotations

import io

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from ethos_data import degrade
from tests.ethos_data import pictures

SIZE = 64


def apply(layer, images, parameters) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer.apply(images, parameters))


def draw(layer, count=4, seed=0, face_size=None) -> dict[str, np.ndarray]:
    drawn = layer.draw(count, seed, face_size)
    return {key: keras.ops.convert_to_numpy(value) for key, value in drawn.items()}


# --- low resolution ---


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("small", [2, 9, 16, 31, 50, 63])
def test_low_resolution_equals_opencv(interpolation, small):
    images = pictures.batch().astype(np.float32)
    layer = degrade.LowResolution(interpolations=[interpolation])
    parameters = draw(layer) | {"pixels": np.full(4, small, np.float32)}
    up = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR}
    for degraded, image in zip(apply(layer, images, parameters), images, strict=True):
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        expected = cv2.resize(
            down, (SIZE, SIZE), interpolation=up.get(interpolation, cv2.INTER_CUBIC)
        )
        if interpolation == "nearest":
            # OpenCV takes the sample at the left edge of a pixel, ETHOS the sample at
            # its centre. They differ where a boundary falls between the two.
            index = np.floor((np.arange(SIZE) + 0.5) * small / SIZE).astype(int)
            expected = down[index][:, index]
        np.testing.assert_allclose(degraded, np.clip(expected, 0, 255), atol=0.02)


def test_low_resolution_is_relative_to_the_face_size():
    layer = degrade.LowResolution(20)
    parameters = draw(layer, face_size=np.array([0.2, 0.4, 0.8, 0.8], np.float32))
    np.testing.assert_allclose(parameters["pixels"], [100, 50, 25, 25], rtol=1e-6)
    # A face of 0.2 * 64 = 13 pixels already has fewer than 20 pixels.
    images = pictures.batch()
    degraded = apply(layer, images, parameters)
    np.testing.assert_array_equal(degraded[0], images[0])
    assert (degraded[1] != images[1]).any()


# --- poor light, noise, contrast ---


def flat(value: float, count: int = 2) -> np.ndarray:
    return np.full((count, 128, 128, 3), value, np.float32)


@pytest.mark.parametrize("value", [20, 120, 250])
def test_low_light_has_the_mean_and_variance_of_a_sensor(value):
    layer = degrade.LowLight(0.2, gamma=1.2, electrons=800, read_noise=1.5)
    dark = keras.ops.convert_to_numpy(layer(flat(value), seed=1))
    np.testing.assert_array_equal(dark, np.round(dark))
    rng = np.random.default_rng(0)
    # Compare with photons that are drawn from numpy's Poisson distribution.
    expected = 800 * 0.2 * (value / 255) ** 1.2
    electrons = rng.poisson(expected, dark.shape)
    sensor = electrons * 255 / 800 + rng.normal(0, 1.5, dark.shape)
    sensor = np.clip(np.round(sensor), 0, 255)
    assert dark.mean() == pytest.approx(sensor.mean(), rel=0.02, abs=0.05)
    assert dark.std() == pytest.approx(sensor.std(), rel=0.02)


def test_sensor_noise_has_the_stated_variance():
    layer = degrade.SensorNoise(12, shot=0.5, grey=0.25)
    for value in (60, 128, 180):
        noise = keras.ops.convert_to_numpy(layer(flat(value), seed=3)) - value
        assert noise.mean() == pytest.approx(0, abs=0.2)
        expected = 12 * np.sqrt(0.5 + 0.5 * value / 128)
        assert noise.std() == pytest.approx(expected, rel=0.02)
        channels = np.corrcoef(noise.reshape(-1, 3).T)
        assert channels[0, 1] == pytest.approx(0.25, abs=0.03)


def test_contrast_loss_keeps_the_veil_and_scales_the_rest():
    images = pictures.batch()
    layer = degrade.ContrastLoss(0.3, veil=140)
    degraded = keras.ops.convert_to_numpy(layer(images, seed=0))
    expected = np.round(140 + 0.3 * (images - 140.0))
    assert np.abs(degraded - expected).max() <= 1


# --- blurs ---


@pytest.mark.parametrize("straight", [0, 1])
@pytest.mark.parametrize(("size", "height"), [(63, 63), (64, 64), (64, 9)])
def test_motion_blur_equals_opencvs_filter(straight, size, height):
    """The last image is so low that its border is reflected more than once."""
    images = pictures.batch(size=size)[:, :height].astype(np.float32)
    layer = degrade.MotionBlur((0.05, 0.4), straight=straight)
    parameters = draw(layer, seed=5)
    kernels = keras.ops.convert_to_numpy(layer.kernels(parameters, size))
    degraded = apply(layer, images, parameters)
    for got, image, kernel in zip(degraded, images, kernels, strict=True):
        # OpenCV correlates; light that moves along a path convolves.
        expected = cv2.filter2D(
            image, -1, kernel[::-1, ::-1].copy(), borderType=cv2.BORDER_REFLECT_101
        )
        np.testing.assert_allclose(got, np.clip(expected, 0, 255), atol=0.01)


@pytest.mark.parametrize(("angle", "bend"), [(0, 0), (30, 0), (90, 60), (141, -150)])
def test_motion_blur_kernel_follows_the_path(angle, bend):
    layer = degrade.MotionBlur(0.3)
    parameters = draw(layer, 1) | {
        "length": np.array([0.25], np.float32),
        "angle": np.radians([angle]).astype(np.float32),
        "bend": np.radians([bend]).astype(np.float32),
    }
    (kernel,) = keras.ops.convert_to_numpy(layer.kernels(parameters, SIZE))
    # The same arc in closed form, with 2,000 points.
    s = (np.arange(2000) + 0.5) / 2000 - 0.5
    a, b = np.radians(angle), np.radians(bend)
    if bend:
        x = (np.sin(a + b * s) - np.sin(a)) / b
        y = (np.cos(a) - np.cos(a + b * s)) / b
    else:
        x, y = s * np.cos(a), s * np.sin(a)
    x, y = ((v - v.mean()) * 0.25 * SIZE for v in (x, y))
    radius = len(kernel) // 2
    pixels = np.arange(-radius, radius + 1)
    expected = (
        np.maximum(1 - np.abs(pixels[:, None] - y), 0)
        @ np.maximum(1 - np.abs(pixels[:, None] - x), 0).T
    ) / 2000
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert np.abs(kernel - expected).sum() < 0.02


def test_defocus_kernel_is_a_disc():
    images = pictures.batch().astype(np.float32)
    layer = degrade.Defocus(0.1)
    parameters = draw(layer) | {"radius": np.full(4, 4.3 / SIZE, np.float32)}
    # Each pixel's part of the disc, from 20 x 20 points in it.
    points = (np.arange(11 * 20) + 0.5) / 20 - 5.5
    inside = np.hypot(points[:, None], points) < 4.3
    disc = inside.reshape(11, 20, 11, 20).mean(axis=(1, 3))
    for got, image in zip(apply(layer, images, parameters), images, strict=True):
        expected = cv2.filter2D(
            image, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101
        )
        assert np.abs(got - expected).mean() < 0.1
        assert np.abs(got - expected).max() < 1.5


def test_blur_is_relative_to_the_face_size():
    face_size = np.array([0.3, 0.6], np.float32)
    length = draw(degrade.MotionBlur(0.2), 2, face_size=face_size)["length"]
    np.testing.assert_allclose(length, [0.06, 0.12], rtol=1e-6)


# --- JPEG ---


@pytest.mark.parametrize("quality", [5, 15, 30, 60, 90])
@pytest.mark.parametrize("size", [64, 70])
def test_jpeg_equals_pillow(quality, size):
    images = pictures.batch(size=size)
    degraded = keras.ops.convert_to_numpy(degrade.Jpeg(quality)(images, seed=0))
    for got, image in zip(degraded, images, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        real = np.asarray(Image.open(file), np.float32)
        damage = np.sqrt(np.mean((real - image) ** 2))
        # The errors must be at the same pixels, not only of the same size. A small
        # difference remains: libjpeg uses an integer transform, and a coefficient that
        # it rounds differently changes a whole block.
        assert np.sqrt(np.mean((real - got) ** 2)) < 0.28 * damage


# --- occlusion ---


def test_occlusion_knows_which_points_it_covers():
    """The points at the centres of all pixels, compared with the changed pixels."""
    layer = degrade.Occlusion((0.05, 0.3), texture=0, share=0.7)
    images = np.zeros((12, 24, 24, 3), np.float32)
    parameters = layer.draw(12, seed=5)
    at = (np.arange(24, dtype=np.float32) + 0.5) / 24
    x, y = np.meshgrid(at, at)
    points = np.broadcast_to(np.stack([x, y], -1).reshape(-1, 2), (12, 576, 2))
    changed = np.asarray(layer.apply(images, parameters)).any(axis=-1)
    covers = np.asarray(layer.covers(points, parameters))
    np.testing.assert_array_equal(covers, changed.reshape(12, 576))
    assert 0 < covers.any(axis=1).sum() < 12
    mixture = degrade.Mixture([degrade.Jpeg(10, share=0.0), layer], jit_compile=False)
    changed = np.asarray(mixture(images, seed=8)).any(axis=-1).reshape(12, 576)
    np.testing.assert_array_equal(mixture.covered(points, None, 8), changed)


def test_occlusion_covers_the_stated_area_only():
    images = np.zeros((64, 128, 128, 3), np.float32)
    layer = degrade.Occlusion(0.1, shift=0.1, texture=0)
    parameters = draw(layer, 64, face_size=np.full(64, 0.7, np.float32))
    covered = (apply(layer, images, parameters) > 0).any(axis=-1)
    np.testing.assert_allclose(covered.mean(axis=(1, 2)), 0.1 * 0.7**2, rtol=0.05)
    shapes = [cv2.connectedComponents(c.astype(np.uint8))[0] for c in covered]
    assert set(shapes) == {2}  # the background and one cover


# --- overexposure ---


def test_overexposure_multiplies_and_clips():
    images = pictures.batch(8)
    layer = degrade.Overexposure((1.5, 3.0))
    parameters = draw(layer, 8)
    gain = np.asarray(parameters["gain"], np.float64)
    assert (gain >= 1.5).all()
    assert (gain <= 3.0).all()
    assert np.unique(gain).size == 8
    expected = np.clip(images * gain[:, None, None, None], 0, 255)
    got = apply(layer, images.astype(np.float32), parameters)
    np.testing.assert_allclose(got, expected, atol=1e-2)


def test_overexposure_never_darkens():
    with pytest.raises(ValueError, match=r"gain must be .* from 1"):
        degrade.Overexposure((0.5, 2.0))


def test_grading_maps_black_white_and_middle_tones():
    images = pictures.batch().astype(np.float32)
    layer = degrade.Grading(saturation=1, tint=1)
    parameters = draw(layer)
    for degraded, image, white, black, gamma in zip(
        apply(layer, images, parameters),
        images,
        *(parameters[name] for name in ("white", "black", "gamma")),
        strict=True,
    ):
        expected = 255 * (black + (white - black) * (image / 255.0) ** gamma)
        expected = np.clip(np.rint(expected), 0, 255)
        np.testing.assert_allclose(degraded, expected, atol=1)
        np.testing.assert_array_equal(degraded, np.rint(degraded))
    same = degrade.Grading(1, black=0, gamma=1, saturation=1, tint=1)(images, seed=3)
    np.testing.assert_array_equal(same, images)


def test_grading_that_clips_has_high_contrast():
    parameters = draw(degrade.Grading((0.5, 1.5), gamma=(0.5, 2.0)), 256)
    clips = parameters["white"] > 1
    gamma = parameters["gamma"]
    assert gamma[clips].min() >= 1
    assert gamma[clips].max() <= 2
    assert 0.5 <= gamma[~clips].min() < 0.6  # those below keep both sides
    assert 1.8 < gamma[~clips].max() <= 2


def test_grading_changes_colour_and_keeps_the_luma_of_white():
    images = pictures.batch().astype(np.float32)
    plain = {"white": 1, "black": 0, "gamma": 1}
    grey = np.asarray(degrade.Grading(**plain, saturation=0, tint=1)(images, seed=3))
    wanted = [cv2.cvtColor(i.astype(np.uint8), cv2.COLOR_RGB2GRAY) for i in images]
    np.testing.assert_allclose(grey, np.stack([wanted] * 3, axis=-1), atol=1)

    layer = degrade.Grading(**plain, saturation=1, tint=(2, 3))
    parameters = draw(layer, 256)
    gains = parameters["gains"]
    np.testing.assert_allclose(gains @ (0.299, 0.587, 0.114), 1, rtol=1e-5)
    ratio = gains.max(axis=1) / gains.min(axis=1)
    assert 6 < ratio.max() <= 9
    cast = apply(layer, images, {k: v[: len(images)] for k, v in parameters.items()})
    wanted = np.clip(images * gains[: len(images), None, None], 0, 255)
    np.testing.assert_allclose(cast, wanted, atol=0.501)


# --- landmarks stay true ---


def spots() -> tuple[np.ndarray, np.ndarray]:
    """Bright spots on grey at subpixel positions, and their centres (N, 2)."""
    rng = np.random.default_rng(0)
    centers = 31.5 + rng.uniform(-4, 4, (48, 2))
    at = np.arange(SIZE)
    x = np.exp(-((at - centers[:, :1]) ** 2) / (2 * 3.0**2))
    y = np.exp(-((at - centers[:, 1:]) ** 2) / (2 * 3.0**2))
    pictures = 40 + 180 * y[:, :, None] * x[:, None, :]
    return np.repeat(pictures[..., None], 3, axis=-1).astype(np.float32), centers


def movement(images: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """The distance (N, 2) of each spot from its centre, in pixels."""
    grey = images.astype(np.float64).mean(axis=-1)
    at = np.arange(SIZE)
    distance = (at[:, None] - centers[:, 1, None, None]) ** 2 + (
        at[None, :] - centers[:, 0, None, None]
    ) ** 2
    # A least-squares fit of the spot, its derivatives in x and y, and a constant. The
    # slope is the movement times the height of the spot divided by its variance.
    movements = []
    for picture, (cx, cy), d in zip(grey, centers, distance, strict=True):
        spot = np.exp(-d / (2 * 3.0**2))
        shape = [spot, np.ones_like(spot), spot * (at - cx), spot * (at[:, None] - cy)]
        shape += [spot * d]  # a blurred spot is wider
        a = np.stack([term.ravel() for term in shape], axis=-1)
        height, _, x, y, _ = np.linalg.lstsq(a, picture.ravel(), rcond=None)[0]
        movements.append([x * 9 / height, y * 9 / height])
    return np.array(movements)


def test_the_measurement_detects_a_shift():
    pictures, centers = spots()
    moved = movement(pictures, centers - (0.3, -0.1))
    np.testing.assert_allclose(moved, np.tile([0.3, -0.1], (48, 1)), atol=0.02)


@pytest.mark.parametrize(
    ("layer", "each", "together"),
    [
        # Pixels by which one spot, and the mean of all spots, may move.
        (degrade.MotionBlur((0.1, 0.3), straight=1), 0.002, 0.0005),
        (degrade.Defocus((0.02, 0.08)), 0.002, 0.0005),
        (degrade.LowResolution((12, 30), interpolations=["linear"]), 0.2, 0.02),
        (degrade.LowResolution((12, 30), interpolations=["cubic"]), 0.2, 0.02),
        (degrade.LowResolution((12, 30), interpolations=["nearest"]), 0.4, 0.05),
        (degrade.Jpeg((15, 60)), 0.2, 0.02),
        (degrade.SensorNoise((1, 8)), 0.1, 0.02),
        (degrade.LowLight((0.3, 0.6), gamma=1), 0.1, 0.02),
        (degrade.ContrastLoss((0.3, 0.6)), 0.001, 0.0002),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_no_layer_moves_the_image(layer, each, together):
    pictures, centers = spots()
    degraded = keras.ops.convert_to_numpy(layer(pictures, seed=8))
    moved = movement(degraded, centers)
    assert np.abs(moved).max() < each
    assert np.abs(moved.mean(axis=0)).max() < together


@pytest.mark.parametrize("layer", [degrade.MotionBlur(), degrade.Defocus()])
def test_kernel_centroids_are_in_the_centre(layer):
    kernels = keras.ops.convert_to_numpy(layer.kernels(layer.draw(256, 1), 112))
    at = np.arange(kernels.shape[1]) - kernels.shape[1] // 2
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(kernels.sum(axis=1) @ at, 0, atol=1e-4)
    np.testing.assert_allclose(kernels.sum(axis=2) @ at, 0, atol=1e-4)
