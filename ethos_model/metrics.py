"""What is measured, always named in full. Pure numpy: no TensorFlow here.

Every function keeps the leading axes of its arguments, so one call scores one face, a
batch, or frames of a clip. Landmarks may stand in any frame of reference as long as the
prediction and the truth stand in the same one: all errors are ratios, given in percent.

    NME_box   mean point error / sqrt(w * h) of the true landmarks' box, x and y only
    NME_iod   the same / distance of the outer eye corners
    AUC, FR   area under the cumulative curve of NME_box up to 8 %, share above 8 %
    z error   mean |z error| / sqrt(w * h)
    depth     mean |depth error| inside the mask / sqrt(w * h), the mean error removed
    mCE       mean over degradation x severity of NME / a baseline's NME
    shift     mean of true - predicted points, right and down positive / sqrt(w * h)
    jitter    mean second difference of the points of a still clip / sqrt(w * h)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

import cv2
import numpy as np

from ethos_data import topology

FAILURE_LIMIT: Final = 8.0
"""NME_box in % above which a face counts as failed, and where the AUC ends."""

SIGMA_RATIO: Final = "sigma_ratio"
"""Name of: so many stated sigmas hold 68.3 % of the errors in x and y. 1 is honest."""

_SSIM_WINDOW: Final = (11, 1.5)  # side and sigma in pixels, Wang et al. 2004
SSIM_CONSTANTS: Final = (0.01**2, 0.03**2)
"""C1 and C2 of Wang et al. 2004 for values in [0, 1]."""


def point_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distance of every point from its truth in % of the face size, x and y only.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: the same shape and frame of reference.

    Returns:
      float64 (..., 68), %.
    """
    predicted = np.asarray(predicted, np.float64)
    true = np.asarray(true, np.float64)
    distance = np.linalg.norm(predicted[..., :2] - true[..., :2], axis=-1)
    size = topology.face_size(topology.face_box(true))
    return 100 * distance / size[..., None]


def nme_box(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean point error over the face size, x and y only.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: the same shape and frame of reference.

    Returns:
      float64 (...), %.
    """
    return point_errors(predicted, true).mean(axis=-1)


def label_shift(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How far the labels of a face lie from its prediction, all in the same direction.

    A network that learns from pictures and their mirror images has no preference for a
    side. If labels lie to one side of it on average, their maker has.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: the same shape and frame of reference.

    Returns:
      float64 (..., 2), to the right and down, %.
    """
    predicted = np.asarray(predicted, np.float64)[..., :2]
    true = np.asarray(true, np.float64)[..., :2]
    size = topology.face_size(topology.face_box(true))
    return 100 * (true - predicted).mean(axis=-2) / size[..., None]


def nme_iod(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean point error over the distance of the outer eye corners, x and y only.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: the same shape and frame of reference.

    Returns:
      float64 (...), %. A profile, whose corners nearly coincide, scores very high.
    """
    predicted = np.asarray(predicted, np.float64)[..., :2]
    true = np.asarray(true, np.float64)[..., :2]
    right, left = topology.OUTER_EYE_CORNERS
    iod = np.linalg.norm(true[..., right, :] - true[..., left, :], axis=-1)
    return 100 * np.linalg.norm(predicted - true, axis=-1).mean(axis=-1) / iod


def auc(errors: np.ndarray, limit: float = FAILURE_LIMIT) -> float:
    """Area under the cumulative error distribution from 0 to `limit`, over the limit.

    Args:
      errors: (N,) NME in %.
      limit: NME in % where the area ends.

    Returns:
      %: 100 if all errors are zero, 0 if all are above the limit.
    """
    # A face of error e adds a step of height 1/N from e on: an area of (limit - e) / N.
    return float(100 * np.clip(1 - np.asarray(errors) / limit, 0, None).mean())


def failure_rate(errors: np.ndarray, limit: float = FAILURE_LIMIT) -> float:
    """Share of faces in % whose NME (errors (N,), %) lies above the limit."""
    return float(100 * (np.asarray(errors) > limit).mean())


def z_error(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean |z error| of the 68 points over the face size.

    Both z must be zero at the eyes' mean, as in the normalised frame; nothing is
    aligned here.

    Args:
      predicted: (..., 68, 3).
      true: (..., 68, 3), same frame of reference.

    Returns:
      float64 (...), %.
    """
    predicted = np.asarray(predicted, np.float64)
    true = np.asarray(true, np.float64)
    size = topology.face_size(topology.face_box(true))
    return 100 * np.abs(predicted[..., 2] - true[..., 2]).mean(axis=-1) / size


def depth_error(
    predicted: np.ndarray, true: np.ndarray, mask: np.ndarray, face_size: np.ndarray
) -> np.ndarray:
    """Mean |depth error| inside the mask over the face size, the mean error removed.

    Args:
      predicted: (..., D, D) depth.
      true: (..., D, D) depth in the same unit; any finite value outside of the mask.
      mask: (..., D, D), above zero where there is true depth.
      face_size: (...) sqrt(w * h) of the true landmarks' box in the unit of depth.

    Returns:
      float64 (...), %; NaN where a mask is empty.
    """
    inside = np.asarray(mask) > 0
    error = np.where(inside, np.asarray(predicted, np.float64) - true, 0.0)
    count = inside.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = error.sum(axis=(-2, -1)) / count
        spread = np.abs(error - mean[..., None, None]) * inside
        return 100 * spread.sum(axis=(-2, -1)) / count / face_size


def psnr(image: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Peak signal to noise ratio of grey images.

    Args:
      image: (..., H, W) in [0, 1].
      clean: the same shape and range.

    Returns:
      float64 (...), dB; at most 100, so that equal images do not make a mean infinite.
    """
    square = (np.asarray(image, np.float64) - clean) ** 2
    return -10 * np.log10(np.maximum(square.mean(axis=(-2, -1)), 1e-10))


def ssim(image: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Structural similarity of grey images (Wang et al. 2004), Gaussian window of 11.

    Args:
      image: (..., H, W) in [0, 1], H and W at least 11.
      clean: the same shape and range.

    Returns:
      float64 (...): 1 for equal images. Windows that cross the border are left out.
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

    Hendrycks & Dietterich (2019) sum over severities before they divide; here every
    degradation x severity is one ratio, as DESIGN.md defines it.

    Args:
      nme: NME by condition, (degradation, severity) or any other key.
      baseline_nme: the baseline's NME by the same keys; more keys do not matter.

    Returns:
      %: 100 is as good as the baseline, less is better; NaN without conditions.
    """
    if not nme:
        return float("nan")
    return float(100 * np.mean([nme[key] / baseline_nme[key] for key in nme]))


def jitter(
    landmarks: np.ndarray, face_size: np.ndarray | float | None = None
) -> np.ndarray:
    """How much the points of a still clip tremble, x and y only.

    A steady movement has no second difference, so a slow drift of the head is not
    counted as jitter.

    Args:
      landmarks: (..., T, 68, 2) or (..., T, 68, 3), T at least 3 frames in a row.
      face_size: (...) sqrt(w * h) of the true face, same unit; None = the mean of the
        sizes of `landmarks` themselves.

    Returns:
      float64 (...): mean length of the points' second differences in % of the face
      size.
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
) -> np.ndarray:
    """Does a stated sigma hold? Share of x and y within `sigmas` stated deviations.

    Args:
      predicted: (..., 68, 2) or (..., 68, 3).
      true: the same shape and frame of reference.
      uncertainty: (..., 68) stated standard deviation of each coordinate, same unit.
      sigmas: half width of the interval in standard deviations.

    Returns:
      float64 (...), %. An honest Gaussian gives 68.3 at 1 sigma, 95.4 at 2.
    """
    error = np.abs(np.asarray(predicted, np.float64) - true)[..., :2]
    within = error <= sigmas * np.asarray(uncertainty)[..., None]
    return 100 * within.mean(axis=(-2, -1))
