"""Separates differences between people from differences between frames of a person.

The components of the depth prior are standard normal over all heads. A rotation of the
components does not change the prior. The rotation here makes the covariance between the
frames of one person diagonal. Each new component then has a share of its variance that
is due to the frames. For a morphable head, about twelve components are expressions,
with shares near one, and the others are nearly constant for each person.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.depth.fitting import similarity
from ethos_data.depth.prior import Prior
from ethos_data.depth.template import Template
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE

RIGID: Final = np.r_[0:5, 12:17, 27:31, 31:36, 36, 39, 42, 45]
"""Landmarks that expressions hardly move. They define the frame of a head."""

FRAMES_PER_PERSON: Final = 10

LEAST_SHARE: Final = 0.2
"""Components with a smaller share are constant for each person. With 24 instead of 12
components for the frames, the depth error of rendered clips did not change."""

_MOST_SHARE: Final = 0.98
"""The estimated shares of expressions exceed 1 at random."""


class RandomHeads:
    """Random heads, as the positions of the landmarks and the surface points.

    Args:
      model: A morphable head with many identities and expressions.
      grid: The grids on the head.
    """

    def __init__(self, model: HeadModel, grid: Template):
        expression = grid.points.of(model.expression)
        # Looking to the side rotates the eyeball, which does not change its surface.
        gaze = [name.startswith("eyeLook") for name in model.expression_names]
        on_eye = (model.parts[grid.points.vertices] == EYE).all(axis=1)
        expression[np.ix_(gaze, on_eye)] = 0
        self._model = model
        self._neutral = grid.points.of(model.neutral)
        self._identity = grid.points.of(model.identity)
        self._expression = expression

    def person(self, rng: np.random.Generator) -> np.ndarray:
        """Draws a person. Returns the neutral head, float64 (68 + P, 3), in cm."""
        return self._neutral + np.tensordot(
            self._model.sample_identity(rng), self._identity, 1
        )

    def frame(self, person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws an expression of a person, float64 (68 + P, 3), in cm."""
        mood = self._model.sample_expression(rng)
        return person + np.tensordot(mood, self._expression, 1)


def importance(count: int) -> np.ndarray:
    """Weights that give all landmarks together the weight of the surface.

    Args:
      count: Number of all points.

    Returns:
      float32 (count,).
    """
    count -= topology.NUM_LANDMARKS
    landmarks = np.full(topology.NUM_LANDMARKS, np.sqrt(count / topology.NUM_LANDMARKS))
    return np.concatenate([landmarks, np.ones(count)]).astype(np.float32)


def with_frame_shares(
    prior: Prior, heads: RandomHeads, mirror: np.ndarray, *, num_people: int, seed: int
) -> Prior:
    """Rotates the components of a prior and states their `frame_share`.

    Args:
      prior: A prior whose components are symmetric or antisymmetric.
      heads: The heads that it was learned from.
      mirror: int (68 + P,), the permutation of all points under a reflection of x.
      num_people: Number of random people.
      seed: Random seed.
    """
    weights = importance(len(prior.mean))[:, None]
    flat = (prior.basis * weights).reshape(len(prior.basis), -1).astype(np.float64)
    to_coefficients = np.linalg.solve(flat @ flat.T, flat)
    covariance = np.zeros((len(flat), len(flat)))
    for number in range(num_people):
        person = heads.person(np.random.default_rng((seed, number, 0)))
        frames = [
            heads.frame(person, np.random.default_rng((seed, number, 1 + k)))
            for k in range(FRAMES_PER_PERSON)
        ]
        moved = [_aligned(frame, prior.mean) - prior.mean for frame in frames]
        offsets = np.stack([(offset * weights).ravel() for offset in moved])
        coefficients = (offsets - offsets.mean(axis=0)) @ to_coefficients.T
        covariance += coefficients.T @ coefficients / (FRAMES_PER_PERSON - 1)
    return _rotated(prior, covariance / num_people, mirror)


def _rotated(prior: Prior, covariance: np.ndarray, mirror: np.ndarray) -> Prior:
    """Makes the covariance (K, K) within a person diagonal."""
    flipped = prior.basis[:, mirror] * np.array([-1, 1, 1], np.float32)
    symmetric = (flipped * prior.basis).sum(axis=(1, 2)) > 0
    shares, components = [], []
    # With mirror images, the two kinds of components are independent.
    for kind in (symmetric, ~symmetric):
        variances, rotation = np.linalg.eigh(covariance[np.ix_(kind, kind)])
        shares.append(variances)
        components.append(np.tensordot(rotation.T, prior.basis[kind], 1))
    share, basis = np.concatenate(shares), np.concatenate(components)
    order = np.argsort(share, kind="stable")
    share = np.where(share < LEAST_SHARE, 0, np.minimum(share, _MOST_SHARE))
    return dataclasses.replace(
        prior,
        basis=basis[order].astype(np.float32),
        frame_share=share[order].astype(np.float32),
    )


def _aligned(points: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Moves a head (68 + P, 3) onto the mean head by its rigid landmarks."""
    weights = np.zeros(topology.NUM_LANDMARKS)
    weights[RIGID] = 1
    target = mean[: topology.NUM_LANDMARKS].astype(np.float64)
    scale, rotation, shift = similarity(
        points[: topology.NUM_LANDMARKS], target, weights
    )
    return points @ (scale * rotation.T) + shift
