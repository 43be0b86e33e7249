"""The course of a refinement: train, measure, choose between old and new weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_data.records import Record
from ethos_model.refinement import batches

if TYPE_CHECKING:
    from ethos_model.refinement.tuner import Tuner

MAX_FORGETTING: Final = 1.02
"""Largest allowed error on rendered heads, relative to the error before."""

_SHARES: Final = (0.5, 0.375, 0.25)
"""Shares of the way from the first to the trained weights that are compared (Wortsman
et al., "Robust fine-tuning of zero-shot models", CVPR 2022). In a test with 20 faces,
half of the way kept 83 % of the gain with 28 % of the forgetting of the whole way."""

_EVALUATIONS: Final = 4
"""Number of times that the error is measured during the training."""

_WITHIN_ONE_SIGMA: Final = math.erf(math.sqrt(0.5))  # 68.3 % of a normal variable


HeldOut = tuple[batches.Batch, batches.Batch]
"""Held-out corrections and held-out rendered heads; see `batches.evaluation_batch`."""


@dataclasses.dataclass(frozen=True)
class Errors:
    """Mean errors on held-out faces, NME_box in %.

    Attributes:
      corrections: On held-out corrections.
      heads: On held-out rendered heads, against their exact landmarks.
    """

    corrections: float
    heads: float


def measure(tuner: Tuner, held_out: HeldOut) -> Errors:
    """Measures the current weights.

    Args:
      tuner: The network.
      held_out: Held-out corrections and heads; see `batches.evaluation_batch`.
    """
    return Errors(*(float(tuner.errors(batch).mean()) for batch in held_out))


def train(
    tuner: Tuner,
    faces: Sequence[Record],
    rendered: Sequence[Record],
    held_out: HeldOut,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    evaluated: Callable[[Errors], None] | None = None,
) -> None:
    """Takes all steps of a training.

    Args:
      tuner: The network.
      faces: The corrected faces to train with.
      rendered: The rendered heads, labelled by the present model.
      held_out: See `measure`.
      progress: Called with the number of finished and of all steps.
      evaluated: Called a few times with the errors, as `choose_best` would find them
        for the first of its shares; None to save the time.

    Raises:
      EthosError: The training has diverged.
    """
    corrected, labelled = batches.decoded(faces), batches.decoded(rendered)
    steps = tuner.recipe.steps
    progress(0, steps)
    for step in range(1, steps + 1):
        loss = tuner.train(corrected, labelled)
        if not math.isfinite(loss):
            raise EthosError(f"the training has diverged at step {step}")
        progress(step, steps)
        is_due = step % max(1, steps // _EVALUATIONS) == 0 and step < steps
        if evaluated is not None and is_due:
            weights = _between(tuner, _SHARES[0])
            now = _with_weights(tuner, weights, lambda: measure(tuner, held_out))
            evaluated(now)


def _between(tuner: Tuner, share: float) -> list[np.ndarray]:
    """Weights between the first and the averaged weights."""
    pairs = zip(tuner.first_weights(), tuner.averaged_weights(), strict=True)
    return [old + np.float32(share) * (new - old) for old, new in pairs]


def _with_weights(
    tuner: Tuner, weights: list[np.ndarray], measured: Callable[[], Errors]
) -> Errors:
    """Measures with other weights, and restores the weights of the training."""
    current = tuner.weights()
    tuner.set_weights(weights)
    errors = measured()
    tuner.set_weights(current)
    return errors


def choose_best(tuner: Tuner, before: Errors, held_out: HeldOut) -> Errors:
    """Sets the best weights between the first and the new weights.

    Of the weights with which the error on rendered heads is low enough, these are the
    ones with the lowest error on corrections. If there are none, the new weights.

    Args:
      tuner: The network after the training.
      before: Errors of the first weights.
      held_out: See `measure`.

    Returns:
      The errors of the chosen weights.
    """
    measured: list[tuple[bool, float, float, Errors]] = []
    for share in _SHARES:
        tuner.set_weights(_between(tuner, share))
        errors = measure(tuner, held_out)
        forgets = errors.heads > MAX_FORGETTING * before.heads
        measured.append((forgets, errors.corrections, -share, errors))
    *_, share, errors = min(measured, key=lambda row: row[:3])
    tuner.set_weights(_between(tuner, -share))
    return errors


def compare(before: Errors, after: Errors) -> tuple[bool, str]:
    """Whether the new model is better, and why, in one line."""
    corrections = (
        f"error on held-out corrections {before.corrections:.2f} % before, "
        f"{after.corrections:.2f} % after"
    )
    if after.heads > MAX_FORGETTING * before.heads:
        increase = 100 * (after.heads / before.heads - 1)
        return False, f"the error on rendered heads rises by {increase:.1f} %"
    return after.corrections < before.corrections, corrections


def sigma_ratio(tuner: Tuner, batch: batches.Batch, card: dict[str, Any]) -> float:
    """Number of the network's standard deviations that contain 68.3 % of the errors.

    It is measured on the held-out corrections, and is at most twice and at least half
    of the first model's number, because there may be few of them.
    """
    outputs = tuner.predict(batch["image"])
    error = np.abs(outputs["landmarks"] - batch["landmarks"])[..., :2]
    ratios = (error / outputs["uncertainty"][..., None])[batch["visible"] > 0]
    usual = float(card.get("uncertainty_factor", 1.0))
    measured = float(np.quantile(ratios, _WITHIN_ONE_SIGMA))
    return float(np.clip(measured, usual / 2, usual * 2))
