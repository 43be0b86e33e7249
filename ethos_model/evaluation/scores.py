"""Scores of a batch of predictions, and sums over all batches of one condition.

An evaluation predicts every frame under about 70 conditions. Only what the report needs
is kept: one number per frame and metric, and sums over landmarks. The memory therefore
does not depend on the size of the network's outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from ethos_data.grey import LUMA
from ethos_model import metrics

SIGMAS: Final = tuple(np.linspace(0.25, 3.0, 12).tolist())
"""Half widths of the intervals whose coverage is counted, in predicted sigmas."""

SIGMA_EDGES: Final = np.geomspace(0.25, 32.0, 29)
"""Edges of the bins of predicted sigma, in % of the face size. The ratio of two
neighbouring edges is the fourth root of 2."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """Ground truth of a batch of N faces. It does not depend on the degradation.

    Attributes:
      landmarks: float64 (N, 68, 3), normalised in the network's window.
      known: bool (N, 68), True where a landmark has a label.
      has_z: bool (N,), whether z of the landmarks is a label.
      face_size: float64 (N,), sqrt(w * h) of the face box, same unit.
      depth: float32 (N, D, D), same unit.
      depth_mask: bool (N, D, D), where depth is known.
      grey: float32 (N, D, D), the clean image in [0, 1].
    """

    landmarks: np.ndarray
    known: np.ndarray
    has_z: np.ndarray
    face_size: np.ndarray
    depth: np.ndarray
    depth_mask: np.ndarray
    grey: np.ndarray

    @property
    def known_z(self) -> np.ndarray:
        """bool (N, 68), True where z of a landmark is a label."""
        return self.known & self.has_z[:, None]


def grey(images: np.ndarray) -> np.ndarray:
    """Luma of RGB images (ITU-R BT.601), as the network is trained to restore it.

    Args:
      images: uint8 (..., 3), RGB.

    Returns:
      float32 (...) in [0, 1].
    """
    return (images @ np.array(LUMA, np.float32)) / np.float32(255)


def score(
    outputs: Mapping[str, np.ndarray], truth: Truth, images: np.ndarray
) -> dict[str, np.ndarray]:
    """One number per frame for every metric. NaN where nothing has a label.

    Args:
      outputs: Outputs of the SavedModel for N images.
      truth: Ground truth of the same N faces.
      images: uint8 (N, S, S, 3), input of the network.

    Returns:
      float64 (N,) by name of the metric: dB for PSNR, a ratio for SSIM, otherwise %.
    """
    landmarks, sigma = outputs["landmarks"], outputs["uncertainty"]
    restored = outputs["restored"][..., 0]
    degraded = grey(images)
    true, known = truth.landmarks, truth.known
    shift_x, shift_y = metrics.label_shift(landmarks, true, known).T
    return {
        "nme_box": metrics.nme_box(landmarks, true, known),
        "nme_iod": metrics.nme_iod(landmarks, true, known),
        "shift_x": shift_x,
        "shift_y": shift_y,
        "z_error": metrics.z_error(landmarks, true, truth.known_z),
        "depth_error": metrics.depth_error(
            outputs["depth"][..., 0], truth.depth, truth.depth_mask, truth.face_size
        ),
        "restored_psnr": metrics.psnr(restored, truth.grey),
        "input_psnr": metrics.psnr(degraded, truth.grey),
        "restored_ssim": metrics.ssim(restored, truth.grey),
        "input_ssim": metrics.ssim(degraded, truth.grey),
        "within_1_sigma": metrics.coverage(landmarks, true, sigma, known=known),
        "stated_sigma": 100 * sigma.mean(axis=1) / truth.face_size,
    }


class ConditionScores:
    """Scores of all frames under one condition.

    Attributes:
      frames: For each metric, a list with one float64 (N,) array per batch.
      landmarks: float64 (68,), sum of the errors of each landmark over the frames in
        which it has a label, %.
      labels: float64 (68,), number of these frames.
      within: float64 (len(SIGMAS),), number of coordinates whose error is at most that
        many predicted sigmas.
      bin_count: float64 (bins,), number of coordinates in each bin of predicted sigma.
      bin_stated: float64 (bins,), sum of their predicted sigmas, %.
      bin_square: float64 (bins,), sum of their squared errors, % squared.
    """

    def __init__(self) -> None:
        self.frames: dict[str, list[np.ndarray]] = {}
        self.landmarks, self.labels = np.zeros((2, 68))
        self.within = np.zeros(len(SIGMAS))
        bins = len(SIGMA_EDGES) + 1
        self.bin_count, self.bin_stated, self.bin_square = np.zeros((3, bins))

    def add(
        self, outputs: Mapping[str, np.ndarray], truth: Truth, images: np.ndarray
    ) -> None:
        """Adds a batch. See `score` for the arguments."""
        for name, values in score(outputs, truth, images).items():
            self.frames.setdefault(name, []).append(values)
        landmarks, sigma = outputs["landmarks"], outputs["uncertainty"]
        errors = metrics.landmark_errors(landmarks, truth.landmarks)
        self.landmarks += np.where(truth.known, errors, 0).sum(axis=0)
        self.labels += truth.known.sum(axis=0)
        self._add_calibration(landmarks, sigma, truth)

    def _add_calibration(
        self, landmarks: np.ndarray, sigma: np.ndarray, truth: Truth
    ) -> None:
        """Counts the labelled x and y by predicted sigma and by actual error."""
        percent = 100 / truth.face_size[:, None]
        stated = np.repeat((sigma * percent)[truth.known], 2)
        error = np.abs(landmarks - truth.landmarks)[..., :2] * percent[..., None]
        error = error[truth.known].ravel()
        self.within += [(error <= k * stated).sum() for k in SIGMAS]
        place = np.searchsorted(SIGMA_EDGES, stated)
        bins = len(self.bin_count)
        self.bin_count += np.bincount(place, minlength=bins)
        self.bin_stated += np.bincount(place, stated, bins)
        self.bin_square += np.bincount(place, error**2, bins)

    def column(self, name: str) -> np.ndarray:
        """A metric of all frames, in the order in which they were added: float64 (N,).

        Args:
          name: Name of the metric, see `score`.
        """
        return np.concatenate(self.frames[name])

    def last(self, name: str) -> np.ndarray:
        """A metric of the frames of the last batch: float64 (N,)."""
        return self.frames[name][-1]

    @property
    def points(self) -> np.ndarray:
        """Mean error of each landmark, float64 (68,), %. NaN without a label."""
        with np.errstate(invalid="ignore"):
            return self.landmarks / self.labels

    @property
    def coordinates(self) -> float:
        """Number of coordinates that were scored."""
        return float(self.bin_count.sum())
