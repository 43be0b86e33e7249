"""Measures the speed of the degradations of ETHOS, albumentations and OpenCV.

    python -m benchmarks.degrade_speed
    python -m benchmarks.degrade_speed --device    # complete batches on a GPU

All use the same images, severity 3 and one thread. The processor time per image is
measured, so that other work on the machine does not count. ETHOS runs as one XLA
program for a batch, as in training. The others process one image after the other, which
is how they are usually used. albumentations is not a dependency of ETHOS:

    pip install --no-deps albumentations==2.0.8 albucore==0.0.24 "stringzilla<4" \\
        simsimd eval-type-backport
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.quiet import import_tensorflow

SIZE: Final = 112
"""Side of an image, in pixels."""

BATCH: Final = 16
LARGE_BATCH: Final = 256
FACE: Final = 0.74
"""Face size in sides of the image."""

PerImage = Callable[[np.ndarray], np.ndarray]
"""Function from one image, uint8 (112, 112, 3), to the degraded image."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    device: bool = options.option(
        False,
        "Measure the wall time of complete batches on the first GPU, or on all cores "
        "if there is no GPU",
    )
    rounds: int = options.option(
        9, "Number of calls, of which the fastest counts", minimum=1
    )
    output: str = measure.output_option("degrade_speed")


def random_images(count: int) -> np.ndarray:
    """Smooth noise with about as much detail as a face: uint8 (count, 112, 112, 3)."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in noise])
    return np.clip(128 + (smooth - 128) * 6, 0, 255).astype(np.uint8)


def opencv() -> dict[str, PerImage]:
    """The degradations in OpenCV and NumPy, with parameters drawn for each image."""
    from ethos_data.degrade import source

    rng = np.random.default_rng(0)
    length = round(0.18 * FACE * SIZE)
    radius = 0.042 * FACE * SIZE
    offsets = np.arange(-4, 5)
    disc = np.clip(radius + 0.5 - np.hypot(offsets[:, None], offsets), 0, 1)
    disc = (disc / disc.sum()).astype(np.float32)
    small = round(21 / FACE)

    def low_resolution(image: np.ndarray) -> np.ndarray:
        reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        interpolation = int(rng.integers(3))  # nearest, linear or cubic
        return cv2.resize(reduced, (SIZE, SIZE), interpolation=interpolation)

    def low_light(image: np.ndarray) -> np.ndarray:
        return source.dark5(image, rng)

    def motion_blur(image: np.ndarray) -> np.ndarray:
        kernel = source.line_kernel(length, rng.uniform(0, np.pi))
        return cv2.filter2D(image, -1, kernel)

    def noise(image: np.ndarray) -> np.ndarray:
        field = rng.standard_normal(image.shape, np.float32) * 15
        return np.clip(np.rint(image + field), 0, 255).astype(np.uint8)

    def jpeg(image: np.ndarray) -> np.ndarray:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))

    def defocus(image: np.ndarray) -> np.ndarray:
        return cv2.filter2D(image, -1, disc)

    def contrast(image: np.ndarray) -> np.ndarray:
        return cv2.convertScaleAbs(image, alpha=0.3, beta=rng.uniform(42, 140))

    return {
        "low_resolution": low_resolution,
        "low_light": low_light,
        "motion_blur": motion_blur,
        "defocus": defocus,
        "noise": noise,
        "jpeg": jpeg,
        "contrast": contrast,
    }


def albumentations() -> dict[str, PerImage]:
    """The most similar transforms of albumentations, at the most similar strengths."""
    if importlib.util.find_spec("albumentations") is None:
        print("albumentations is not installed and is left out", flush=True)
        return {}
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as A  # noqa: N812 - the usual name of this library

    odd = (round(0.18 * FACE * SIZE) // 2 * 2 + 1,) * 2
    dark = A.Compose(
        [
            A.RandomBrightnessContrast((-0.8, -0.8), (0, 0), p=1),
            A.ISONoise(intensity=(0.3, 0.3), p=1),
        ]
    )
    scale = 21 / (FACE * SIZE)
    transforms = {
        "low_resolution": A.Downscale(scale_range=(scale, scale), p=1),
        "low_light": dark,
        "motion_blur": A.MotionBlur(blur_limit=odd, p=1),
        "defocus": A.Defocus(radius=(3, 3), p=1),
        "noise": A.GaussNoise(std_range=(15 / 255, 15 / 255), p=1),
        "jpeg": A.ImageCompression(quality_range=(15, 15), p=1),
        "contrast": A.RandomBrightnessContrast((0, 0), (-0.7, -0.7), p=1),
    }

    def per_image(transform: Any) -> PerImage:
        return lambda image: transform(image=image)["image"]

    return {name: per_image(transform) for name, transform in transforms.items()}


def ethos(images: np.ndarray) -> dict[str, Callable[[int], Any]]:
    """The degradations of ETHOS as compiled functions from a seed to a batch."""
    import tensorflow as tf

    from ethos_data import degrade

    batch, face_size = tf.constant(images), tf.fill([len(images)], FACE)

    def program(layer: Any) -> Callable[[int], Any]:
        call = tf.function(
            lambda seed: layer(batch, face_size=face_size, seed=seed), jit_compile=True
        )
        return lambda seed: call(tf.constant(seed))

    layers = {name: degrade.at_severity(name, 3) for name in degrade.SEVERITY}
    layers["training mix"] = degrade.training_mix()
    return {name: program(layer) for name, layer in layers.items()}


def images_per_second(
    call: Callable[[int], Any], count: int, rounds: int, clock: Callable[[], float]
) -> int:
    """Speed of the fastest call.

    Args:
      call: Function of a seed that degrades a batch.
      count: Number of images in the batch.
      rounds: Number of timed calls. One call before them compiles.
      clock: Clock in seconds.
    """
    np.asarray(call(0))
    times = []
    for number in range(1, rounds + 1):
        start = clock()
        np.asarray(call(number))
        times.append(clock() - start)
    return round(count / min(times))


def limit_threads() -> None:
    """Limits all libraries to one thread. Must be called before TensorFlow starts."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    cv2.setNumThreads(1)
    import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def measure_cores(chosen: Options) -> None:
    """Measures images per second and core, and writes the result."""
    limit_threads()
    images = random_images(BATCH)

    def loop(per_image: PerImage) -> Callable[[int], Any]:
        return lambda seed: np.stack([per_image(image) for image in images])

    def speeds(calls: dict[str, Callable[[int], Any]], column: str) -> measure.Figures:
        return {
            name.replace("_", " "): {
                column: images_per_second(call, BATCH, chosen.rounds, time.process_time)
            }
            for name, call in calls.items()
        }

    figures = speeds(ethos(images), "ETHOS")
    others = {"albumentations": albumentations(), "OpenCV": opencv()}
    baseline: dict[str, dict[str, Any]] = {}
    for column, functions in others.items():
        calls = {name: loop(function) for name, function in functions.items()}
        for name, cells in speeds(calls, column).items():
            baseline.setdefault(name, {}).update(cells)
    measure.save(
        "degrade_speed",
        chosen,
        what=f"Degraded images per second and core at severity 3: RGB images of {SIZE} "
        f"px in batches of {BATCH}, one thread, processor time. ETHOS runs as one XLA "
        "program per batch. The others process one image after the other.",
        figures=figures,
        baseline=baseline,
    )


def measure_device(chosen: Options) -> None:
    """Measures complete batches on the first GPU, and writes the result."""
    import_tensorflow()
    import tensorflow as tf

    device = tf.config.list_logical_devices()[-1].name.split("device:")[-1]
    figures: dict[str, dict[str, Any]] = {}
    for count in (BATCH, LARGE_BATCH):
        for name, call in ethos(random_images(count)).items():
            speed = images_per_second(call, count, chosen.rounds, time.perf_counter)
            cells = figures.setdefault(name.replace("_", " "), {})
            cells[f"images/s, batches of {count}"] = speed
    measure.save(
        "degrade_speed",
        chosen,
        what=f"Degraded images per second on {device} at severity 3: RGB images of "
        f"{SIZE} px, wall time.",
        figures=figures,
        baseline={},
    )


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("degrade_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    if chosen.device:
        measure_device(chosen)
    else:
        measure_cores(chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
