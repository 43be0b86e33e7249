"""Error measures for landmarks, depth and restored images. NumPy only, no TensorFlow.

Every function keeps the leading axes of its arguments, so one call scores one face, a
batch of faces or the frames of a clip. Landmarks may be in any frame of reference, as
long as prediction and truth use the same one. Errors are given in percent.

The face size is sqrt(w * h) of the box of the true landmarks.

Labels can be incomplete. `known` is then bool (..., 68), True where a landmark has a
label. The other landmarks have no influence on the mean errors. The face size is still
that of all 68, because a data set contains an estimate where a label is missing.

    NME_box   mean landmark error / face size, x and y only
    NME_iod   mean landmark error / distance of the outer eye corners, x and y only
    AUC       area under the cumulative distribution of NME_box from 0 to 8 %
    FR        failure rate: share of faces with NME_box above 8 %
    z error   mean |z error| of the landmarks / face size
    depth     mean |depth error| inside the mask / face size, without the mean error
    mCE       mean over degradation and severity of NME / a baseline's NME
    shift     mean of (true - predicted) landmarks / face size, right and down positive
    jitter    mean second difference of the landmarks of a still clip / face size
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

import cv2
import numpy as np

from ethos_data import topology

FAILURE_LIMIT: Final = 8.0
"""NME_box in % above which a face counts as failed, and at which the AUC ends."""

SIGMA_RATIO: Final = "sigma_ratio"
"""Name of the factor on the predicted sigma at which 68.3 % of the errors in x and y
are within one sigma. It is 1 for a calibrated model."""

_SSIM_WINDOW: Final = (11, 1.5)
"""Side and sigma of the Gaussian window in pixels (Wang et al. 2004)."""

SSIM_CONSTANTS: Final = (0.01**2, 0.03**2)
"""C1 and C2 of Wang et al. 2004 for values in [0, 1]."""


def landmark_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distance of every landmark from its true position, x and y only.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: Same shape and frame of reference.

    Returns:
      float64 (..., 68), % of the face size.
    """
    predicted = np.asarray(predicted, np.float64)
    true = np.asarray(true, np.float64)
    distance = np.linalg.norm(predicted[..., :2] - true[..., :2], axis=-1)
    size = topology.face_size(topology.face_box(true))
    return 100 * distance / size[..., None]


def _mean(values: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Mean over the last axis. NaN where nothing is known.

    Args:
      values: (..., N).
      known: bool (..., N); None for all values.
    """
    if known is None:
        return values.mean(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=-1) / np.sum(known, axis=-1)


def nme_box(
    predicted: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """NME_box: mean landmark error divided by the face size, x and y only.

    Example:
      errors = nme_box(face.landmarks, labels)    # both (68, 3), source pixels

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: Same shape and frame of reference.
      known: bool (..., 68), see the module; None if all landmarks have labels.

    Returns:
      float64 (...), %.
    """
    return _mean(landmark_errors(predicted, true), known)


def label_shift(
    predicted: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """Mean offset of the labels of a face from its predicted landmarks.

    A network that is trained on images and their mirror images prefers neither side. If
    labels are on one side of its predictions on average, the labels are biased.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: Same shape and frame of reference.
      known: bool (..., 68), see the module; None if all landmarks have labels.

    Returns:
      float64 (..., 2): Offset to the right and down, % of the face size.
    """
    predicted = np.asarray(predicted, np.float64)[..., :2]
    true = np.asarray(true, np.float64)[..., :2]
    size = topology.face_size(topology.face_box(true))
    mask = None if known is None else np.asarray(known)[..., None, :]
    offset = _mean(np.swapaxes(true - predicted, -1, -2), mask)
    return 100 * offset / size[..., None]


def nme_iod(
    predicted: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """NME_iod: mean landmark error divided by the distance of the outer eye corners.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3). z is not used.
      true: Same shape and frame of reference.
      known: bool (..., 68), see the module; None if all landmarks have labels.

    Returns:
      float64 (...), %. Very large for a profile, whose eye corners nearly coincide. NaN
      if an outer eye corner has no label.
    """
    predicted = np.asarray(predicted, np.float64)[..., :2]
    true = np.asarray(true, np.float64)[..., :2]
    right, left = topology.OUTER_EYE_CORNERS
    iod = np.linalg.norm(true[..., right, :] - true[..., left, :], axis=-1)
    if known is not None:
        iod = np.where(known[..., right] & known[..., left], iod, np.nan)
    return 100 * _mean(np.linalg.norm(predicted - true, axis=-1), known) / iod


def auc(errors: np.ndarray, limit: float = FAILURE_LIMIT) -> float:
    """Area under the cumulative error distribution from 0 to `limit`.

    Args:
      errors: (N,), NME in %.
      limit: NME in % at which the area ends.

    Returns:
      % of the largest possible area: 100 if all errors are zero, 0 if all errors are
      above the limit.
    """
    # A face with error e adds a step of height 1/N from e to the limit, which is an
    # area of (limit - e) / N.
    return float(100 * np.clip(1 - np.asarray(errors) / limit, 0, None).mean())


def failure_rate(errors: np.ndarray, limit: float = FAILURE_LIMIT) -> float:
    """Share of faces whose NME is above the limit.

    Args:
      errors: (N,), NME in %.
      limit: NME in %.

    Returns:
      %.
    """
    return float(100 * (np.asarray(errors) > limit).mean())


def z_error(
    predicted: np.ndarray, true: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """Mean absolute z error of the 68 landmarks, divided by the face size.

    In both arguments the mean z of the eye landmarks must be zero, as in the normalised
    frame. This function does not align them.

    Args:
      predicted: (..., 68, 3).
      true: (..., 68, 3), same frame of reference.
      known: bool (..., 68), True where z is a label; None if all z are labels.

    Returns:
      float64 (...), %.
    """
    predicted = np.asarray(predicted, np.float64)
    true = np.asarray(true, np.float64)
    size = topology.face_size(topology.face_box(true))
    return 100 * _mean(np.abs(predicted[..., 2] - true[..., 2]), known) / size


def depth_error(
    predicted: np.ndarray, true: np.ndarray, mask: np.ndarray, face_size: np.ndarray
) -> np.ndarray:
    """Mean absolute depth error inside the mask, divided by the face size.

    The mean error of each face is subtracted first.

    Args:
      predicted: (..., D, D), depth in any unit.
      true: (..., D, D), depth in the same unit. Any finite value outside the mask.
      mask: (..., D, D), above zero where the true depth is known.
      face_size: (...), sqrt(w * h) of the true landmarks' box, in the unit of depth.

    Returns:
      float64 (...), %. NaN where a mask is empty.
    """
    inside = np.asarray(mask) > 0
    error = np.where(inside, np.asarray(predicted, np.float64) - true, 0.0)
    count = inside.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = error.sum(axis=(-2, -1)) / count
        deviation = np.abs(error - mean[..., None, None]) * inside
        return 100 * deviation.sum(axis=(-2, -1)) / count / face_size


def psnr(image: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of grey images.

    Args:
      image: (..., H, W) in [0, 1].
      clean: Same shape and range.

    Returns:
      float64 (...), dB. At most 100, so that equal images do not make a mean infinite.
    """
    squared = (np.asarray(image, np.float64) - clean) ** 2
    return -10 * np.log10(np.maximum(squared.mean(axis=(-2, -1)), 1e-10))


def ssim(image: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Structural similarity of grey images (Wang et al. 2004), 11 x 11 Gaussian window.

    Windows that cross the border of the image are left out.

    Args:
      image: (..., H, W) in [0, 1]. H and W are at least 11.
      clean: Same shape and range.

    Returns:
      float64 (...), 1 for equal images.
    """
    image, clean = np.broadcast_arrays(
        np.asarray(image, np.float64), np.asarray(clean, np.float64)
    )
    pairs = zip(
        image.reshape(-1, *image.shape[-2:]),
        clean.reshape(-1, *clean.shape[-2:]),
        strict=True,
    )
    return np.array([_ssim(a, b) for a, b in pairs]).reshape(image.shape[:-2])


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    side, sigma = _SSIM_WINDOW
    border = side // 2

    def local_mean(values: np.ndarray) -> np.ndarray:
        blurred = cv2.GaussianBlur(values, (side, side), sigma)
        return blurred[border:-border, border:-border]

    mean_a, mean_b = local_mean(a), local_mean(b)
    var_a = local_mean(a * a) - mean_a**2
    var_b = local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = SSIM_CONSTANTS
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float((luminance * structure).mean())


def mce(nme: Mapping[Hashable, float], baseline_nme: Mapping[Hashable, float]) -> float:
    """Mean corruption error: mean over conditions of NME / the baseline's NME.

    Hendrycks & Dietterich (2019) sum over the severities before they divide. Here every
    pair of degradation and severity gives one ratio.

    Args:
      nme: NME by condition. A key is (degradation, severity) or any other value.
      baseline_nme: NME of the baseline by the same keys. Additional keys are ignored.

    Returns:
      %: 100 is as good as the baseline, and smaller is better. NaN without conditions.
    """
    if not nme:
        return float("nan")
    return float(100 * np.mean([nme[key] / baseline_nme[key] for key in nme]))


def jitter(
    landmarks: np.ndarray, face_size: np.ndarray | float | None = None
) -> np.ndarray:
    """Mean second difference of the landmarks of a clip, x and y only.

    A movement at constant speed has no second difference, so a slow movement of the
    head does not count as jitter.

    Args:
      landmarks: (..., T, 68, 2) or (..., T, 68, 3), T >= 3 consecutive frames.
      face_size: (...), sqrt(w * h) of the true face in the unit of `landmarks`. None
        uses the mean size of the landmarks themselves.

    Returns:
      float64 (...), % of the face size.
    """
    xy = np.asarray(landmarks, np.float64)[..., :2]
    second = np.diff(xy, n=2, axis=-3)
    if face_size is None:
        face_size = topology.face_size(topology.face_box(xy)).mean(axis=-1)
    return 100 * np.linalg.norm(second, axis=-1).mean(axis=(-2, -1)) / face_size


def coverage(
    predicted: np.ndarray,
    true: np.ndarray,
    uncertainty: np.ndarray,
    sigmas: float = 1.0,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """Share of the x and y errors that are within `sigmas` predicted deviations.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: Same shape and frame of reference.
      uncertainty: (..., 68), predicted standard deviation of x and of y, in the same
        unit.
      sigmas: Half width of the interval in standard deviations.
      known: bool (..., 68), see the module; None if all landmarks have labels.

    Returns:
      float64 (...), %. For Gaussian errors with the predicted deviation it is 68.3 at
      1 sigma and 95.4 at 2 sigmas.
    """
    error = np.abs(np.asarray(predicted, np.float64) - true)[..., :2]
    within = error <= sigmas * np.asarray(uncertainty)[..., None]
    return 100 * _mean(within.mean(axis=-1), known)
