"""Properties that all degradations share: type, range, identity, seeds, draws."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from ethos_data import degrade
from ethos_data.degrade import draws
from ethos_data.degrade.severity import LAYERS
from tests.ethos_data import pictures

NAMES = sorted(degrade.SEVERITY)
FACE = np.full(4, 0.74, np.float32)


def run(layer, images, **kwargs) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images, **kwargs))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
def test_keeps_shape_type_and_range(name, dtype):
    images = pictures.batch().astype(dtype)
    # The extremes are where a range is left: bicubic overshoot, noise, ringing.
    images[0] = np.indices((64, 64)).sum(0)[..., None] % 2 * 255
    degraded = run(degrade.at_severity(name, 5), images, face_size=FACE, seed=3)
    assert degraded.shape == images.shape
    assert degraded.dtype == images.dtype
    assert np.isfinite(degraded.astype(np.float32)).all()
    assert degraded.min() >= 0
    assert degraded.max() <= 255
    assert np.abs(degraded.astype(np.float32) - images).mean() > 1


@pytest.mark.parametrize("name", NAMES)
def test_severity_0_changes_nothing(name):
    images = pictures.batch()
    np.testing.assert_array_equal(run(degrade.at_severity(name, 0), images), images)


@pytest.mark.parametrize("name", NAMES)
def test_each_severity_is_stronger_than_the_previous(name):
    images = pictures.batch(8, seed=1)
    harm = [
        np.mean((run(degrade.at_severity(name, s), images, seed=5) - 1.0 * images) ** 2)
        for s in range(6)
    ]
    assert (np.diff(harm) > 0).all(), harm


@pytest.mark.parametrize(
    ("layer", "parameter", "neutral"),
    [
        (degrade.LowResolution(), "pixels", 64),
        (degrade.MotionBlur(), "length", 0),
        (degrade.Defocus(), "radius", 0),
        (degrade.SensorNoise(), "sigma", 0),
        (degrade.ContrastLoss(), "contrast", 1),
        (degrade.Occlusion(), "width", 1e-6),
    ],
)
def test_zero_strength_changes_nothing(layer, parameter, neutral):
    images = pictures.batch()
    drawn = layer.draw(4, seed=0)
    drawn[parameter] = keras.ops.zeros(4) + neutral
    same = keras.ops.convert_to_numpy(layer.apply(images, drawn))
    np.testing.assert_array_equal(same, images)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_images(name):
    layer, images = LAYERS[name](), pictures.batch()
    first, again = (run(layer, images, seed=11) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (run(layer, images, seed=12) != first).any()


@pytest.mark.parametrize("name", NAMES)
def test_each_image_of_a_batch_has_its_own_draw(name):
    images = np.repeat(pictures.batch(1), 4, axis=0)
    degraded = run(LAYERS[name](), images, seed=4)
    # Two whole JPEG qualities may coincide.
    assert len({image.tobytes() for image in degraded}) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_other_images(name):
    layer, images = LAYERS[name](), pictures.batch()
    drawn = layer.draw(4, seed=9, face_size=FACE)
    together = keras.ops.convert_to_numpy(layer.apply(images, drawn))
    for i in range(4):
        own = {key: value[i : i + 1] for key, value in drawn.items()}
        alone = keras.ops.convert_to_numpy(layer.apply(images[i : i + 1], own))
        assert np.abs(alone[0].astype(int) - together[i]).max() <= 1


@pytest.mark.parametrize("name", ["noise", "low_light"])
def test_noise_of_two_images_is_not_correlated(name):
    images = np.full((6, 64, 64, 3), 128, np.float32)
    noise = run(degrade.at_severity(name, 3), images, seed=2).reshape(6, -1)
    correlation = np.corrcoef(noise) - np.eye(6)
    # 15 pairs of 12,288 numbers: 4.5 sigma.
    assert np.abs(correlation).max() < 4.5 / np.sqrt(noise.shape[1])


def test_neighbouring_seeds_and_streams_are_not_correlated():
    numbers = np.array(
        [
            keras.ops.convert_to_numpy(draws.uniform(draws.keys(s, 4096), stream))
            for s in range(4)
            for stream in range(4)
        ]
    )
    assert numbers.min() >= 0
    assert numbers.max() < 1
    np.testing.assert_allclose(numbers.mean(axis=1), 0.5, atol=0.02)
    correlation = np.corrcoef(numbers) - np.eye(16)
    assert np.abs(correlation).max() < 5 / 64
    # One place further on, too: a counter that is added to the seed would show here.
    assert np.abs(np.corrcoef(numbers[:, 1:], numbers[:, :-1])[:16, 16:]).max() < 5 / 64


def test_a_seed_may_be_a_number_a_tensor_or_a_vector():
    key = draws.keys(7, 3)
    np.testing.assert_array_equal(key, draws.keys(tf.constant(7, tf.int64), 3))
    np.testing.assert_array_equal(key, draws.keys(np.int32(7), 3))
    pair = draws.keys(tf.constant([7, 1]), 3)
    assert (np.asarray(pair) != np.asarray(key)).all()


def test_draws_equal_the_published_hash():
    # lowbias32, written once more in Python's whole numbers: any backend must agree.
    def mix(x):
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
            x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
        return x

    golden = 0x9E3779B9
    seed = mix(((mix(1) ^ 7) + golden) & 0xFFFFFFFF)
    for i, key in enumerate(np.asarray(draws.keys(7, 3))):
        assert key == mix(mix((i + 1) * golden & 0xFFFFFFFF) ^ seed)
        number = float(draws.uniform(draws.keys(7, 3), 4, 2.0, 10.0)[i])
        bits = mix((int(key) + 5 * golden) & 0xFFFFFFFF) >> 8
        assert number == pytest.approx(2 + 8 * bits / 2**24, rel=1e-6)


def test_normal_numbers_have_a_normal_distribution():
    from scipy import stats

    numbers = keras.ops.convert_to_numpy(draws.normal(draws.keys(0, 2), (200, 201)))
    assert numbers.shape == (2, 200, 201)
    for field in numbers:
        assert stats.kstest(field.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(numbers[0, :, 1:].ravel(), numbers[0, :, :-1].ravel())[0, 1]
               ) < 0.02  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_runs_eagerly_in_graphs_with_xla_and_in_tf_data(name):
    layer, images = LAYERS[name](), tf.constant(pictures.batch())
    eager = run(layer, images, face_size=FACE, seed=tf.constant(21))

    def call(seed):
        return layer(images, face_size=FACE, seed=seed)

    graph = tf.function(call)(tf.constant(21))
    compiled = tf.function(call, jit_compile=True)(tf.constant(21))
    ds = tf.data.Dataset.from_tensors(images).unbatch().batch(4)  # size unknown
    ds = ds.map(lambda some: layer(some, seed=21, face_size=FACE[: len(FACE)]))
    for other in (graph, compiled, next(iter(ds))):
        difference = np.abs(other.numpy().astype(int) - eager)
        # A float's last bit can turn a rounding; a JPEG coefficient's moves its block.
        assert (difference > 1).mean() < 2e-3
        assert difference.mean() < 5e-3


@pytest.mark.parametrize("name", NAMES)
def test_config_round_trip(name):
    layer = degrade.at_severity(name, 2)
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(twin) is type(layer)
    images = pictures.batch()
    np.testing.assert_array_equal(run(twin, images, seed=3), run(layer, images, seed=3))


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_does_not_change_the_pixels(name):
    images = pictures.batch().astype(np.float32)
    plain = run(LAYERS[name](), images, seed=3)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = run(LAYERS[name](), images, seed=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert mixed.dtype == np.float32
    np.testing.assert_array_equal(mixed, plain)


ELSEWHERE = """
import sys
import keras
import numpy as np
from ethos_data.degrade.severity import LAYERS
images = np.load(sys.argv[1])
results = {}
for name, layer in LAYERS.items():
    layer = layer()
    drawn = layer.draw(len(images), seed=21)
    degraded = layer.apply(images, drawn)
    results[name + "/images"] = keras.ops.convert_to_numpy(degraded)
    for key, value in drawn.items():
        results[name + "/" + key] = keras.ops.convert_to_numpy(value)
np.savez(sys.argv[2], backend=keras.backend.backend(), **results)
"""


def installed_backends() -> list[str]:
    # Keras' numpy backend borrows its transforms from JAX.
    jax = importlib.util.find_spec("jax") is not None
    return ["tensorflow", *(["jax", "numpy"] if jax else [])]


@pytest.mark.parametrize("backend", installed_backends())
def test_other_processes_and_backends_give_the_same_result(backend, tmp_path):
    images = pictures.batch()
    np.save(tmp_path / "images.npy", images)
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "images.npy", tmp_path / "x.npz"],
        env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    with np.load(tmp_path / "x.npz") as there:
        assert there["backend"] == backend
        for name, layer in LAYERS.items():
            drawn = layer().draw(4, seed=21)
            for key, value in drawn.items():
                np.testing.assert_allclose(
                    there[f"{name}/{key}"], value, rtol=2e-6, err_msg=f"{name} {key}"
                )
            # From the same parameters the same numbers.
            drawn = {key: there[f"{name}/{key}"] for key in drawn}
            here = keras.ops.convert_to_numpy(layer().apply(images, drawn))
            difference = np.abs(there[f"{name}/images"].astype(int) - here)
            assert (difference > 1).mean() < 2e-3, name
            assert difference.mean() < 5e-3, name


@pytest.mark.parametrize("severity", [-1, 6, "high"])
def test_rejects_an_unknown_severity(severity):
    with pytest.raises(ValueError, match="Received"):
        degrade.at_severity("noise", severity)


@pytest.mark.parametrize(
    "make",
    [
        lambda: degrade.at_severity("rain", 1),
        lambda: degrade.MotionBlur((0.3, 0.1)),
        lambda: degrade.LowResolution(10, interpolations=["lanczos"]),
        lambda: degrade.Jpeg(0),
        lambda: degrade.LowLight(share=1.5),
    ],
)
def test_rejects_invalid_arguments(make):
    with pytest.raises(ValueError, match="Received"):
        make()
