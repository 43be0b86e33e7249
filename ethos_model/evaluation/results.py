"""Results of an evaluation as plain numbers, for JSON, CSV, text and HTML.

All errors are in % of the face size, sqrt(w * h) of the true landmarks' box, unless the
description gives another unit. The "predicted sigma" is the standard deviation of a
coordinate that the model predicts.

Only labels count. A mean is NaN if the data set has no label that it needs, for example
the z error of a data set whose labels have no z.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final

import numpy as np


@dataclasses.dataclass(frozen=True)
class ConditionResult:
    """Results of a model under one condition: means over all frames.

    Attributes:
      kind: "clean", "source", "trained", "unseen" or "box", see `conditions`.
      name: Name of the degradation.
      severity: 1 to 5; 0 if the degradation has only one strength.
      nme_box: NME_box, %.
      nme_box_interval: 95 % interval of NME_box by bootstrap over people.
      over_clean: Increase of NME_box over the clean frames, in % of the clean NME_box.
      over_clean_interval: 95 % interval of the increase. Each resample uses the same
        people for both errors.
      nme_iod: NME_iod, %.
      shift_x: Mean offset of the labels to the right of the prediction, %.
      shift_y: Mean offset of the labels below the prediction, %.
      auc: Area under the cumulative distribution of NME_box from 0 to 8 %, in %.
      failure_rate: Share of frames with NME_box above 8 %, in %.
      z_error: Mean absolute z error of the landmarks, %.
      depth_error: Mean absolute depth error inside the mask, without the mean error, %.
      restored_psnr: PSNR of the restored image against the clean image, dB.
      input_psnr: PSNR of the input image against the clean image, dB.
      psnr_gain_interval: 95 % interval of `restored_psnr - input_psnr`, dB.
      restored_ssim: SSIM of the restored image against the clean image.
      input_ssim: SSIM of the input image against the clean image.
      ssim_gain_interval: 95 % interval of `restored_ssim - input_ssim`.
      within_1_sigma: Share of coordinates with an error of at most one predicted sigma,
        in %.
      stated_sigma: Mean predicted sigma, %.
      baseline_nme_box: NME_box of the baseline model, %. None without a baseline model.
    """

    kind: str
    name: str
    severity: int
    nme_box: float
    nme_box_interval: tuple[float, float]
    over_clean: float
    over_clean_interval: tuple[float, float]
    nme_iod: float
    shift_x: float
    shift_y: float
    auc: float
    failure_rate: float
    z_error: float
    depth_error: float
    restored_psnr: float
    input_psnr: float
    psnr_gain_interval: tuple[float, float]
    restored_ssim: float
    input_ssim: float
    ssim_gain_interval: tuple[float, float]
    within_1_sigma: float
    stated_sigma: float
    baseline_nme_box: float | None = None

    @property
    def key(self) -> str:
        """Unique name, for example `blur15` or `motion_blur-3`."""
        return f"{self.name}-{self.severity}" if self.severity else self.name


@dataclasses.dataclass(frozen=True)
class MeanFaceResult:
    """Results of the mean face in place of a model. They are the same for all images.

    The attributes that are not listed are those of `ConditionResult`.

    Attributes:
      frames: Number of faces in the mean.
      split: Split that these faces come from.
      derived_depth_error: Error of the depth that is derived from the true landmarks,
        %. It is zero if the true depth was derived from landmarks too. Otherwise it
        shows the limit of derived depth.
    """

    frames: int
    split: str
    nme_box: float
    nme_box_interval: tuple[float, float]
    nme_iod: float
    auc: float
    failure_rate: float
    z_error: float
    depth_error: float
    derived_depth_error: float

    @property
    def name(self) -> str:
        """Name for tables in which the mean face is listed after the conditions."""
        return "mean_face"


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """Results on a subset of the clean frames.

    Attributes:
      name: Property that the frames share.
      frames: Number of frames.
      people: Number of people.
      nme_box: NME_box of the model, %.
      nme_box_interval: 95 % interval of `nme_box` by bootstrap over people.
      mean_face_nme_box: NME_box of the mean face on the same frames, %.
      baseline_nme_box: NME_box of the baseline model on the same frames, %. None
        without a baseline model.
    """

    name: str
    frames: int
    people: int
    nme_box: float
    nme_box_interval: tuple[float, float]
    mean_face_nme_box: float
    baseline_nme_box: float | None = None


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Agreement of predicted sigma and actual error, over conditions of one kind.

    Attributes:
      kind: Kind of the conditions.
      coverage: For each half width in predicted sigmas: the half width, the share of
        coordinates within it in %, and the share for Gaussian errors in %.
      bins: For each bin of predicted sigma: number of coordinates, their mean predicted
        sigma in %, and their root mean square error in %.
      rank_correlation: Spearman's rank correlation between the mean predicted sigma of
        a frame and its NME_box. NaN if one of them is constant.
    """

    kind: str
    coverage: tuple[tuple[float, float, float], ...]
    bins: tuple[tuple[int, float, float], ...]
    rank_correlation: float


@dataclasses.dataclass(frozen=True)
class FrameResult:
    """Properties and clean scores of one frame: a row of `frames.csv`.

    Attributes:
      person_id: Person shown in the frame.
      video_id: Name of the video file without its suffix.
      frame: Index of the frame in the video.
      face_size: sqrt(w * h) of the face box, source pixels.
      yaw: Degrees. Positive if the person's left side is nearer to the camera.
      brightness: Mean luma of the face box, from 0 to 255.
      sharpness: See `slices.sharpness`.
      nme_box: NME_box, %.
      nme_iod: NME_iod, %.
      stated_sigma: Mean predicted sigma, %.
      mean_face_nme_box: NME_box of the mean face, %.
    """

    person_id: str
    video_id: str
    frame: int
    face_size: float
    yaw: float
    brightness: float
    sharpness: float
    nme_box: float
    nme_iod: float
    stated_sigma: float
    mean_face_nme_box: float


@dataclasses.dataclass(frozen=True)
class WorstCase:
    """A frame with a large error.

    Attributes:
      condition: Key of the condition.
      person_id: Person shown in the frame.
      video_id: Name of the video file without its suffix.
      frame: Index of the frame in the video.
      nme_box: NME_box, %.
      stated_sigma: Mean predicted sigma, %.
      image: uint8 (S, S, 3), RGB, input of the network.
      true: float (68, 3), true landmarks, normalised. NaN without a label.
      predicted: float (68, 3), predicted landmarks, normalised.
    """

    condition: str
    person_id: str
    video_id: str
    frame: int
    nme_box: float
    stated_sigma: float
    image: np.ndarray
    true: np.ndarray
    predicted: np.ndarray


@dataclasses.dataclass(frozen=True)
class Example:
    """Input and outputs of the network for one frame under one condition.

    Attributes:
      condition: Key of the condition.
      video_id: Name of the video file without its suffix.
      frame: Index of the frame in the video.
      image: uint8 (S, S, 3), RGB, input of the network.
      predicted: float (68, 3), predicted landmarks, normalised.
      restored: float32 (D, D), restored image in [0, 1].
      clean: float32 (D, D), clean image in [0, 1].
      depth: float32 (D, D), predicted depth, normalised.
      true_depth: float32 (D, D), true depth, normalised. NaN where it is unknown.
    """

    condition: str
    video_id: str
    frame: int
    image: np.ndarray
    predicted: np.ndarray
    restored: np.ndarray
    clean: np.ndarray
    depth: np.ndarray
    true_depth: np.ndarray


CUMULATIVE_GRID: Final = np.linspace(0, 10, 41)
"""Values of NME_box in % at which the cumulative error distribution is given."""

_NOT_IN_JSON: Final = ("frame_results", "worst", "examples")
_WORST_CASE_FACTS: Final = (
    "condition",
    "video_id",
    "frame",
    "nme_box",
    "stated_sigma",
)
_CARD_FACTS: Final = ("nme_box", "nme_box_interval", "nme_iod", "auc", "failure_rate")


@dataclasses.dataclass(frozen=True)
class Report:
    """All results of an evaluation.

    Example:
      report = evaluate(None, "data")
      report.condition("clean").nme_box

    Attributes:
      model: Directory of the evaluated model.
      data_dir: Directory of the data set.
      split: Split of the data set.
      baseline_model: Directory of the baseline model; None without one.
      frames: Number of frames.
      people: Number of people.
      image_size: Side of the network's input, in pixels.
      mean_face: Results of the mean face, which does not depend on the image.
      conditions: Results by condition, in the order of evaluation, clean first.
      mce: Mean corruption error by kind of condition, in % of the error of the mean
        face and of the baseline model: `{"trained": {"mean_face": 31.0, "baseline":
        80.0}}`.
      slices: Results on subsets of the clean frames, by title.
      points: float (68,), mean error of each landmark on clean frames, %. NaN for a
        landmark that has no label in any frame.
      mean_points: float (68, 3), landmarks of the mean face, normalised.
      calibration: Calibration of the uncertainty by kind of condition.
      cumulative: For the conditions without severities, the share of frames in % whose
        NME_box is at most each value of `CUMULATIVE_GRID`.
      jitter: Jitter on simulated still clips by condition, % of the face size.
      frame_results: Results of the clean frames, in stored order.
      worst: Worst frames by condition, the worst first, each from another video.
      examples: Depth and restored image of a few frames.
    """

    model: str
    data_dir: str
    split: str
    baseline_model: str | None
    frames: int
    people: int
    image_size: int
    mean_face: MeanFaceResult
    conditions: tuple[ConditionResult, ...]
    mce: dict[str, dict[str, float]]
    slices: dict[str, tuple[SliceResult, ...]]
    points: np.ndarray
    mean_points: np.ndarray
    calibration: tuple[Calibration, ...]
    cumulative: dict[str, np.ndarray]
    jitter: dict[str, float]
    frame_results: tuple[FrameResult, ...]
    worst: tuple[WorstCase, ...]
    examples: tuple[Example, ...]

    def condition(self, key: str) -> ConditionResult:
        """The result under one condition.

        Args:
          key: Key of the condition, for example "clean" or "motion_blur-3".

        Raises:
          KeyError: The condition was not evaluated.
        """
        results = {result.key: result for result in self.conditions}
        if key not in results:
            raise KeyError(f"{key}: not evaluated. Evaluated: {', '.join(results)}")
        return results[key]

    def main_conditions(self) -> list[ConditionResult]:
        """The results under the conditions without severities, clean first."""
        return [result for result in self.conditions if not result.severity]

    def card_json(self) -> str:
        """The figures for a model card as JSON, for `ethos-export --metrics`.

        They contain no paths and no names of people, because a model card is published
        with the weights.
        """
        results: dict[str, ConditionResult | MeanFaceResult] = {
            result.key: result for result in self.conditions
        }
        results["mean_face"] = self.mean_face
        values = {
            "split": self.split,
            "frames": self.frames,
            "people": self.people,
            "unit": "% of sqrt(w h) of the face box",
            "conditions": {
                key: {name: getattr(result, name) for name in _CARD_FACTS}
                for key, result in results.items()
            },
            "mce": self.mce,
        }
        return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"

    def to_json(self) -> str:
        """The report as JSON, without images and single frames. NaN becomes null."""
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _NOT_IN_JSON
        }
        values["worst"] = [
            {name: getattr(case, name) for name in _WORST_CASE_FACTS}
            for case in self.worst
        ]
        return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Converts nested results to types that JSON supports."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 5) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
