"""What one batch of predictions is worth, and sums over all batches of a condition.

A full evaluation predicts every frame under some eighty conditions. Here only what a
report needs is kept: one number a frame and metric, and sums over points, so that the
memory does not depend on how large the network's outputs are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from ethos_data.grey import LUMA
from ethos_model import metrics

SIGMAS: Final = tuple(np.linspace(0.25, 3.0, 12).tolist())
"""Half widths, in stated standard deviations, at which coverage is counted."""

SIGMA_EDGES: Final = np.geomspace(0.25, 32.0, 29)
"""Borders of the bins of stated deviation, % of the face size: a quarter octave."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is true of a batch of N faces, whatever is done to the image.

    Attributes:
      landmarks: float64 (N, 68, 3), normalised in the network's window.
      face_size: float64 (N,), sqrt(w * h) of the face box, same unit.
      depth: float32 (N, D, D), same unit.
      depth_mask: bool (N, D, D).
      grey: float32 (N, D, D), the clean picture in [0, 1].
    """

    landmarks: np.ndarray
    face_size: np.ndarray
    depth: np.ndarray
    depth_mask: np.ndarray
    grey: np.ndarray


def grey(images: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) RGB to float32 (...) luma in [0, 1]: ITU-R BT.601, as trained."""
    return (images @ np.array(LUMA, np.float32)) / np.float32(255)


def score(
    outputs: Mapping[str, np.ndarray], truth: Truth, images: np.ndarray
) -> dict[str, np.ndarray]:
    """One number a frame for every metric.

    Args:
      outputs: of the SavedModel, for N images.
      truth: of the same N faces.
      images: uint8 (N, S, S, 3), what the network was shown.

    Returns:
      float64 (N,) by name; % unless the name says PSNR (dB) or SSIM.
    """
    points, sigma = outputs["landmarks"], outputs["uncertainty"]
    restored = outputs["restored"][..., 0]
    shown = grey(images)
    shift_x, shift_y = metrics.label_shift(points, truth.landmarks).T
    return {
        "nme_box": metrics.nme_box(points, truth.landmarks),
        "nme_iod": metrics.nme_iod(points, truth.landmarks),
        "shift_x": shift_x,
        "shift_y": shift_y,
        "z_error": metrics.z_error(points, truth.landmarks),
        "depth_error": metrics.depth_error(
            outputs["depth"][..., 0], truth.depth, truth.depth_mask, truth.face_size
        ),
        "restored_psnr": metrics.psnr(restored, truth.grey),
        "input_psnr": metrics.psnr(shown, truth.grey),
        "restored_ssim": metrics.ssim(restored, truth.grey),
        "input_ssim": metrics.ssim(shown, truth.grey),
        "within_1_sigma": metrics.coverage(points, truth.landmarks, sigma),
        "stated_sigma": 100 * sigma.mean(axis=1) / truth.face_size,
    }


class ConditionScores:
    """Everything that a report needs to know of one condition.

    Attributes:
      frames: metric name -> list of float64 (N,), one entry a batch.
      points: float64 (68,), sum of the point errors in %.
      within: float64 (len(SIGMAS),), coordinates within so many stated deviations.
      bin_count, bin_stated, bin_square: float64 (bins,), coordinates by their stated
        deviation: how many, sum of the stated ones (%), sum of squared errors (%^2).
    """

    def __init__(self) -> None:
        self.frames: dict[str, list[np.ndarray]] = {}
        self.points = np.zeros(68)
        self.within = np.zeros(len(SIGMAS))
        bins = len(SIGMA_EDGES) + 1
        self.bin_count, self.bin_stated, self.bin_square = np.zeros((3, bins))

    def add(
        self, outputs: Mapping[str, np.ndarray], truth: Truth, images: np.ndarray
    ) -> np.ndarray:
        """Adds a batch and returns its NME_box (N,), %."""
        for name, values in score(outputs, truth, images).items():
            self.frames.setdefault(name, []).append(values)
        points, sigma = outputs["landmarks"], outputs["uncertainty"]
        self.points += metrics.landmark_errors(points, truth.landmarks).sum(axis=0)
        scale = 100 / truth.face_size[:, None]
        stated = np.repeat((sigma * scale)[..., None], 2, axis=-1).ravel()
        error = np.abs(points - truth.landmarks)[..., :2] * scale[..., None]
        error = error.ravel()
        self.within += [(error <= k * stated).sum() for k in SIGMAS]
        place = np.searchsorted(SIGMA_EDGES, stated)
        bins = len(self.bin_count)
        self.bin_count += np.bincount(place, minlength=bins)
        self.bin_stated += np.bincount(place, stated, bins)
        self.bin_square += np.bincount(place, error**2, bins)
        return self.frames["nme_box"][-1]

    def column(self, name: str) -> np.ndarray:
        """float64 (N,): a metric of all frames, in the order in which they came."""
        return np.concatenate(self.frames[name])

    @property
    def coordinates(self) -> float:
        """How many coordinates were scored."""
        return float(self.bin_count.sum())
