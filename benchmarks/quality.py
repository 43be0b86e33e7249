"""Quality of degraded faces against the error of their landmarks.

    python -m benchmarks.quality DATA --picture docs/images/quality.png
    python -m benchmarks.quality DATA --split validation --calibrate

DATA is a data set of ethos-convert with people on whom the network was not trained. The
faces are measured under every condition of the report of ethos-evaluate, and under
pairs of degradations.

`--calibrate` writes nothing. It fits the constants of
`ethos_model.footage.measures.quality` and prints them. Use another split than for the
results.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import degraded_faces, measure, pictures
from benchmarks.degraded_faces import DegradedFace
from ethos_data import options
from ethos_data.errors import cli
from ethos_model.footage.measures import quality

BINS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Edges of the groups of faces by quality."""

_RIDGE: Final = 1.0
"""Weight of the squared coefficients in the logistic regression."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    data_dir: str = options.required(
        "Data set that ethos-convert wrote", positional=True, metavar="DATA"
    )
    split: str = options.option("test", "Split of the data set")
    limit: int | None = options.option(
        None, "Maximum number of faces, evenly spread; all without it", minimum=1
    )
    calibrate: bool = options.option(False, "Only fit and print the constants")
    picture: str | None = options.option(
        None, "PNG file to write with a plot of error against quality", metavar="FILE"
    )
    output: str = measure.output_option("measures_quality")


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values have their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[inverse]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of two arrays (N,)."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def slices(faces: Sequence[DegradedFace]) -> dict[str, np.ndarray]:
    """Subsets of the faces, bool (N,), by name."""
    kind = np.array([face.kind for face in faces])
    severity = np.array([face.severity for face in faces])
    pair = kind == "pair"
    return {
        "all conditions of the report": ~pair,
        "clean": kind == "clean",
        "source": kind == "source",
        "trained": kind == "trained",
        "unseen": kind == "unseen",
        "inaccurate box": kind == "box",
        "severity 1 to 3": ~pair & (severity >= 1) & (severity <= 3),
        "severity 4 and 5": ~pair & (severity >= 4),
        "two degradations at once": pair,
        "report and pairs": np.ones(len(faces), bool),
    }


def tables(
    faces: Sequence[DegradedFace],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and baseline: rank correlations, then groups by quality."""
    error = np.array([face.error for face in faces])
    value = np.array([face.measures.quality for face in faces])
    sigma = np.array([face.sigma for face in faces])
    figures: dict[str, Any] = {}
    baseline: dict[str, Any] = {}
    for name, mask in slices(faces).items():
        if not mask.any():
            continue
        figures[name] = {
            "faces": int(mask.sum()),
            "mean error %": round(float(error[mask].mean()), 2),
            "rank correlation": round(-spearman(value[mask], error[mask]), 2),
        }
        baseline[name] = {
            "rank correlation of sigma": round(spearman(sigma[mask], error[mask]), 2)
        }
    limit = quality.ERROR_LIMIT
    for low, high in itertools.pairwise(BINS):
        mask = (value >= low) & ((value < high) | (high == BINS[-1]))
        if mask.any():
            figures[f"quality {low:g} to {high:g}"] = {
                "faces": int(mask.sum()),
                "mean error %": round(float(error[mask].mean()), 2),
                "mean quality": round(float(value[mask].mean()), 2),
                f"share with error up to {limit:g} %": round(
                    float((error[mask] <= limit).mean()), 2
                ),
            }
    return figures, baseline


def features(face: DegradedFace) -> np.ndarray:
    """What could predict the error, float64 (6,). The first is log(sigma)."""
    picture = face.measures.picture
    return np.array(
        [
            np.log(face.sigma),
            np.log(picture.size),
            np.log(picture.sharpness + 0.001),
            max(0.0, 1 - picture.brightness / 100),
            np.log(picture.noise + 0.5),
            abs(face.measures.pose.yaw) / 45,
        ]
    )


def logistic_regression(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fits weights by iteratively reweighted least squares.

    Args:
      x: Features, (N, K).
      y: bool (N,).

    Returns:
      float64 (1 + K,): the intercept and the weights.
    """
    x = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(x.shape[1])
    ridge = _RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 0
    for _ in range(30):
        p = _probability(x, weights)
        information = (x * (p * (1 - p))[:, None]).T @ x + ridge
        weights += np.linalg.solve(information, x.T @ (y - p) - ridge @ weights)
    return weights


def _probability(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))


def log_loss(x: np.ndarray, y: np.ndarray, people: np.ndarray) -> float:
    """Mean log loss on people who were not used for the fit (five folds)."""
    fold = np.unique(people, return_inverse=True)[1] % 5
    losses = []
    for k in range(5):
        held_out = fold == k
        weights = logistic_regression(x[~held_out], y[~held_out])
        rows = np.column_stack([np.ones(held_out.sum()), x[held_out]])
        p = _probability(rows, weights)
        losses.append(-np.log(np.where(y[held_out], p, 1 - p)))
    return float(np.concatenate(losses).mean())


def calibration(faces: Sequence[DegradedFace]) -> list[str]:
    """The constants of `measures.quality`, and whether more features would help."""
    good = np.array([face.error <= quality.ERROR_LIMIT for face in faces])
    people = np.array([face.person_id for face in faces])
    x = np.array([features(face) for face in faces])
    intercept, slope = logistic_regression(x[:, :1], good)
    return [
        f"{len(faces)} faces of {len(set(people))} people",
        f"steepness: {-slope:.2f}",
        f"half sigma: {np.exp(-intercept / slope):.4f}",
        f"log loss on other people, sigma only: {log_loss(x[:, :1], good, people):.4f}",
        f"log loss on other people, all features: {log_loss(x, good, people):.4f}",
    ]


_INK: Final = (40, 40, 40)
_BLUE: Final = (0, 114, 178)  # colour-blind safe palette of Okabe and Ito (2008)
_ORANGE: Final = (230, 159, 0)
_SCALE: Final = 2
"""The plot is drawn twice as large and reduced, for smooth text."""


class _Panel:
    """A coordinate system in a picture.

    Args:
      picture: uint8 (H, W, 3), RGB, to draw into.
      corner: x and y of the upper left corner of the plotting area, in pixels.
      top: Value of the y axis at the top. The axes begin at 0, and x ends at 1.
      title: Text above the plot.
    """

    SIZE: Final = (300, 240)

    def __init__(
        self, picture: np.ndarray, corner: tuple[int, int], top: float, title: str
    ) -> None:
        self._picture, self._corner, self._top = picture, corner, top
        for k in range(6):
            x, y = k / 5, top * k / 5
            self.line([(0, y), (1, y)], (225, 225, 225))
            self._text(f"{x:.1f}", self._at(x, 0), (-10, 18))
            label = f"{y:.1f}" if top <= 1 else f"{y:.0f}"
            self._text(label, self._at(0, y), (-34, 4))
        self.line([(0, top), (0, 0), (1, 0)], _INK)
        self._text(title, self._at(0, top), (-34, -16))
        self._text("quality", self._at(0.5, 0), (-20, 36))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        width, height = self.SIZE
        left, upper = self._corner
        return left + x * width, upper + (1 - y / self._top) * height

    def _pixels(self, points: Sequence[tuple[float, float]]) -> np.ndarray:
        pixels = np.array([self._at(x, y) for x, y in points]) * _SCALE
        return pixels.round().astype(np.int32)

    def _text(
        self, text: str, place: tuple[float, float], shift: tuple[int, int]
    ) -> None:
        x, y = ((p + s) * _SCALE for p, s in zip(place, shift, strict=True))
        font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42 * _SCALE
        origin = (round(x), round(y))
        cv2.putText(self._picture, text, origin, font, size, _INK, _SCALE, cv2.LINE_AA)

    def line(
        self, points: Sequence[tuple[float, float]], color: tuple[int, int, int]
    ) -> None:
        """Draws a line through points in the units of the axes."""
        cv2.polylines(
            self._picture, [self._pixels(points)], False, color, _SCALE, cv2.LINE_AA
        )

    def band(
        self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]
    ) -> None:
        """Fills the area between two lines."""
        outline = self._pixels([*low, *reversed(high)])
        cv2.fillPoly(self._picture, [outline], (214, 232, 243), cv2.LINE_AA)

    def dots(self, points: Sequence[tuple[float, float]]) -> None:
        """Draws dots."""
        for x, y in self._pixels(points).tolist():
            cv2.circle(self._picture, (x, y), 4 * _SCALE, _BLUE, -1, cv2.LINE_AA)


def plot(faces: Sequence[DegradedFace]) -> np.ndarray:
    """Plots share of good faces and error against quality: uint8 (H, W, 3), RGB."""
    picture = np.full((340 * _SCALE, 780 * _SCALE, 3), 255, np.uint8)
    error = np.array([face.error for face in faces])
    value = np.array([face.measures.quality for face in faces])
    order = np.argsort(value)
    groups = np.array_split(order, 12)
    limit = quality.ERROR_LIMIT
    share = [
        (float(value[g].mean()), float((error[g] <= limit).mean())) for g in groups
    ]
    left = _Panel(
        picture, (60, 40), 1.0, f"share of faces with an error up to {limit:g} %"
    )
    left.line([(0, 0), (1, 1)], _ORANGE)
    left.line(share, _BLUE)
    left.dots(share)
    right = _Panel(picture, (450, 40), 10.0, "landmark error, % of the face size")
    low, middle, high = (
        [
            (float(value[g].mean()), min(float(np.percentile(error[g], percent)), 10.0))
            for g in groups
        ]
        for percent in (10, 50, 90)
    )
    right.band(low, high)
    right.line(middle, _BLUE)
    right.dots(middle)
    height, width = picture.shape[:2]
    return cv2.resize(
        picture, (width // _SCALE, height // _SCALE), interpolation=cv2.INTER_AREA
    )


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("quality", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    faces = list(degraded_faces.collect(chosen.data_dir, chosen.split, chosen.limit))
    if chosen.calibrate:
        print("\n".join(calibration(faces)))
        return 0
    if chosen.picture:
        pictures.write_png(chosen.picture, plot(faces))
    figures, baseline = tables(faces)
    people = len({face.person_id for face in faces})
    measure.save(
        "quality",
        chosen,
        what="Spearman's rank correlation between quality and landmark error (NME_box, "
        f"sign reversed) on {people} people of the {chosen.split} split, under the "
        "conditions of the report and under pairs of degradations at severity 3 to 5, "
        "then the faces grouped by quality. A quality is correct if it equals the "
        "share of the faces with a small error. Baseline: the stated uncertainty.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
