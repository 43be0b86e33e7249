"""The results of an evaluation: plain numbers, ready for JSON, CSV, a table or a page.

All errors are in % of the face size unless their name says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final

import numpy as np


@dataclasses.dataclass(frozen=True)
class ConditionResult:
    """A model under one condition, means over all frames.

    Attributes:
      kind: "clean", "source", "trained", "unseen" or "box", see `conditions`.
      name: of the degradation.
      severity: 1 to 5; 0 where there is only one strength.
      nme_box: NME_box, %.
      nme_box_interval: 95 % interval of NME_box by bootstrap over people.
      over_clean: by how much NME_box is above that on the clean frames, % of it.
      over_clean_interval: its 95 % interval, the same people drawn for both.
      nme_iod: NME_iod, %.
      shift_x, shift_y: how far the labels lie to the right of and below the prediction,
        mean over points, %.
      auc: area under the cumulative curve of NME_box up to 8 %, %.
      failure_rate: share of frames with NME_box above 8 %, %.
      z_error: mean |z error| of the points, %.
      depth_error: mean |depth error| inside the mask, the mean removed, %.
      restored_psnr, input_psnr: of the restored and of the shown picture against the
        clean one, dB.
      psnr_gain_interval: 95 % interval of their difference.
      restored_ssim, input_ssim: the same, structural similarity.
      ssim_gain_interval: 95 % interval of their difference.
      within_1_sigma: coordinates within one stated standard deviation, %.
      stated_sigma: mean stated standard deviation of a coordinate, %.
      baseline_nme_box: NME_box of the baseline model, %; None without one.
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
        """`blur15`, `motion_blur-3`."""
        return f"{self.name}-{self.severity}" if self.severity else self.name


@dataclasses.dataclass(frozen=True)
class MeanFaceResult:
    """The mean face in the place of a model: the same under every condition.

    Attributes:
      frames: how many faces it is the mean of.
      split: where they come from.
      nme_box, nme_box_interval, nme_iod, auc, failure_rate, z_error, depth_error: as in
        `ConditionResult`.
      derived_depth_error: of the depth derived from the *true* landmarks, %. Zero where
        the true depth was itself derived; the limit of derived depth where it was not.
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
        """As if it were a condition."""
        return "mean_face"


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """Frames with something in common, clean.

    Attributes:
      name: what they have in common.
      frames, people: how many.
      nme_box, nme_box_interval: of the model, %.
      mean_face_nme_box: of the mean face on the same frames, %.
      baseline_nme_box: of the baseline model on the same frames, %; None without one.
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
    """Does the stated uncertainty hold? Over all coordinates of some conditions.

    Attributes:
      kind: of the conditions.
      coverage: (half width in stated deviations, % of coordinates within, % that an
        honest Gaussian would have within).
      bins: (coordinates, mean stated deviation in %, root mean square error in %), for
        coordinates that state about the same deviation.
      rank_correlation: Spearman's, of the mean stated deviation of a frame and its
        NME_box.
    """

    kind: str
    coverage: tuple[tuple[float, float, float], ...]
    bins: tuple[tuple[int, float, float], ...]
    rank_correlation: float


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame under the clean condition, for `frames.csv`."""

    person_id: str
    video_id: str
    frame: int
    face_size: float  # source pixels
    yaw: float  # degrees, positive = the person's left side is nearer
    brightness: float  # mean luma of the face box, 0-255
    sharpness: float  # see slices.sharpness
    nme_box: float
    nme_iod: float
    stated_sigma: float
    mean_face_nme_box: float


@dataclasses.dataclass(frozen=True)
class WorstCase:
    """A frame on which the model did badly.

    Attributes:
      condition: key of the condition.
      person_id, video_id, frame: which one.
      nme_box: %.
      stated_sigma: mean stated deviation of a coordinate, %.
      image: uint8 (S, S, 3), what the network saw.
      true, predicted: float (68, 3), normalised.
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
    """What comes out for one frame under one condition.

    Attributes:
      condition: key of the condition.
      video_id, frame: which one.
      image: uint8 (S, S, 3), what the network saw.
      predicted: float (68, 3), normalised.
      restored, clean: float32 (D, D) in [0, 1].
      depth: float32 (D, D), normalised.
      true_depth: the same, NaN where there is none.
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
"""NME_box in % at which the cumulative error distribution is given."""

_WORST_CASE_FACTS = ("condition", "video_id", "frame", "nme_box", "stated_sigma")


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that an evaluation found.

    Attributes:
      model, data_dir, split, baseline_model: what was evaluated, on what, beside what.
      frames, people: how many.
      image_size: side of the network's input, pixels.
      mean_face: the baseline that looks at nothing.
      conditions: in the order of evaluation, clean first.
      mce: % of the mean face's and, if there is one, the baseline model's error, by
        kind of condition: `{"trained": {"mean_face": 31.0, "baseline": 80.0}}`.
      slices: results on clean frames by what is natural about them, by title.
      points: float (68,), mean error of each point on clean frames, %.
      mean_points: float (68, 3), the mean face, to draw the points at.
      calibration: by kind of condition.
      cumulative: share of frames in % whose NME_box is at most each of
        `CUMULATIVE_GRID`, for the conditions without severities.
      jitter: of simulated still clips, % of the face size, by condition.
      frame_list: clean frames, in stored order.
      worst: condition by condition, the worst first, no video twice.
      examples: depth and restored pictures of a few frames.
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
    frame_list: tuple[Frame, ...]
    worst: tuple[WorstCase, ...]
    examples: tuple[Example, ...]

    def condition(self, key: str) -> ConditionResult:
        """The result under a condition, `report.condition("clean").nme_box`."""
        for one in self.conditions:
            if one.key == key:
                return one
        known = ", ".join(one.key for one in self.conditions)
        raise KeyError(f"{key}: not evaluated, only {known}")

    def card_json(self) -> str:
        """What a model card wants to know, for `ethos-export --metrics`.

        No paths and nobody's name: a card goes out with the weights.
        """
        shown = ("nme_box", "nme_box_interval", "nme_iod", "auc", "failure_rate")
        every = {one.key: one for one in self.conditions}
        values = {
            "split": self.split,
            "frames": self.frames,
            "people": self.people,
            "unit": "% of sqrt(w h) of the face box",
            "conditions": {
                key: {name: getattr(one, name) for name in shown}
                for key, one in (every | {"mean_face": self.mean_face}).items()
            },
            "mce": self.mce,
        }
        return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"

    def to_json(self) -> str:
        """All but pictures and single frames. NaN becomes null."""
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("frame_list", "worst", "examples")
        }
        values["worst"] = [
            {
                name: getattr(case, name)
                for name in (
                    "condition",
                    "video_id",
                    "frame",
                    "nme_box",
                    "stated_sigma",
                )
            }
            for case in self.worst
        ]
        return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Nested results to what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 5) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
