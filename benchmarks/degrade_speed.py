"""Degradations per second and core: ETHOS beside albumentations and plain OpenCV.

    python -m benchmarks.degrade_speed
    python -m benchmarks.degrade_speed --device_table     # a GPU, whole batches

The same images and strengths for all, one thread each, CPU time per image (so that
other work on the machine does not count). ETHOS runs as one XLA program for a whole
batch, as in training; the others take one image after the other, as they are made to.
albumentations is not a dependency: pip install albumentations==2.0.8.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np

from ethos_data.errors import cli

SIZE: Final = 112  # pixels
BATCH: Final = 16
FACE: Final = 0.74  # sides of the image
ROUNDS: Final = 9

PerImage = Callable[[np.ndarray], np.ndarray]


def pictures(count: int) -> np.ndarray:
    """uint8 (count, 112, 112, 3): smooth noise, as detailed as a face."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 3) for one in noise])
    return np.clip(128 + (smooth - 128) * 6, 0, 255).astype(np.uint8)


def opencv() -> dict[str, PerImage]:
    """The same in plain OpenCV and numpy, severity 3, parameters drawn per image."""
    from ethos_data.degrade import source

    rng = np.random.default_rng(0)
    length = round(0.18 * FACE * SIZE)
    radius = 0.042 * FACE * SIZE
    at = np.arange(-4, 5)
    disc = np.clip(radius + 0.5 - np.hypot(at[:, None], at), 0, 1)
    disc = (disc / disc.sum()).astype(np.float32)
    small = round(21 / FACE)

    def low_resolution(image: np.ndarray) -> np.ndarray:
        down = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        way = int(rng.integers(3))  # nearest, linear or cubic
        return cv2.resize(down, (SIZE, SIZE), interpolation=way)

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
    """The nearest transforms of albumentations at the nearest strengths."""
    if importlib.util.find_spec("albumentations") is None:
        print("albumentations is not installed: its column stays empty", flush=True)
        return {}
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations as A  # noqa: N812 - the name its own manual uses

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

    def one(transform: Any) -> PerImage:
        return lambda image: transform(image=image)["image"]

    return {name: one(transform) for name, transform in transforms.items()}


def ethos(images: np.ndarray) -> dict[str, Callable[[int], Any]]:
    """Compiled programs: seed to a degraded batch."""
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


def best(call: Callable[[int], Any], clock: Callable[[], float]) -> float:
    """Seconds of the fastest of some calls; the first, which compiles, not counted."""
    np.asarray(call(0))
    times = []
    for number in range(1, ROUNDS + 1):
        start = clock()
        np.asarray(call(number))
        times.append(clock() - start)
    return min(times)


def limit_threads() -> None:
    """One thread for everybody; before TensorFlow starts."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    cv2.setNumThreads(1)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def cpu_table() -> list[str]:
    limit_threads()
    images = pictures(BATCH)

    def loop(per_image: PerImage) -> Callable[[int], Any]:
        def call(_: int) -> np.ndarray:
            return np.stack([per_image(image) for image in images])

        return call

    columns: list[dict[str, float]] = [
        {n: best(f, time.process_time) for n, f in ethos(images).items()},
        {n: best(loop(f), time.process_time) for n, f in albumentations().items()},
        {n: best(loop(f), time.process_time) for n, f in opencv().items()},
    ]
    lines = [
        f"| {SIZE} px, images/s per core | ETHOS | albumentations | OpenCV |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name in columns[0]:
        cells = [
            f"{BATCH / column[name]:,.0f}" if name in column else ""
            for column in columns
        ]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return lines


def device_table() -> list[str]:
    import tensorflow as tf

    device = tf.config.list_logical_devices()[-1].name
    lines = [
        f"| images/s on {device.split('device:')[-1]} | batch 16 | batch 256 |",
        "| --- | ---: | ---: |",
    ]
    found: dict[str, list[str]] = {}
    for count in (16, 256):
        for name, call in ethos(pictures(count)).items():
            seconds = best(call, time.perf_counter)
            found.setdefault(name, []).append(f"{count / seconds:,.0f}")
    for name, cells in found.items():
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return lines


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device_table",
        action="store_true",
        help="wall time of whole batches on the first GPU, or on all cores",
    )
    options = parser.parse_args(argv)
    print("\n".join(device_table() if options.device_table else cpu_table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
