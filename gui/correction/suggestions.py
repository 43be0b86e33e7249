"""Which faces of a video need a correction most: the order of the key N.

A correction helps most if the face is one of many that the model finds difficult and
that do not resemble a corrected face. Each face has a need for correction: its
uncertainty, increased if its landmarks contradict those of the frames before and after.
The need is limited, because a face on which the model fails completely is often unlike
all others, and a few such faces must not hide the rest.
A correction covers the faces that resemble the corrected face in shape, pose and time.
The faces are chosen one after the other. Each time it is the face with the largest
product of its own need and of the sum of needs that its correction would cover and that
no other covers yet. The sum alone is the greedy algorithm of facility location
(Nemhauser, Wolsey and Fisher, 1978).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data import topology

MAX_STEPS: Final = 100
"""Number of faces that are chosen one after the other. The others follow by need."""

MAX_CANDIDATES: Final = 1500
"""Number of faces of which the first are chosen. Of more faces, the one with the
largest need represents those next to it in the video, so that N answers at once."""

MAX_COVERED: Final = 500
"""Number of faces whose need is summed. Of more faces, some at equal distances
represent the others."""

_MAX_NEED: Final = 1.3
"""Largest need, in medians of all faces. The square root of the need is used."""

_SHAPE_SCALE: Final = 0.1
"""Distance of shapes, in face sizes, at which a correction covers 61 % of a need. A
head that turns by 20 degrees moves its landmarks by about this distance."""

_TIME_SCALE: Final = 100.0
"""Number of frames between two frames of one person at which a correction of one of
them covers 37 % of the need of the other, even if their shapes differ."""

_OTHER_PERSON: Final = 0.2
"""Share of a need that a correction of another person with the same shape covers."""

_OTHER_TIME: Final = 0.8
"""Share of a need that a correction at another time of the same person covers."""

_MAX_CONTRADICTION: Final = 2.0
"""Largest increase of a need by a contradiction between frames."""

_NEIGHBOUR_FRAMES: Final = 12.0
"""Distance of frames at which their landmarks contradict each other by 37 % as much as
if they were next to each other."""


def most_useful(
    landmarks: np.ndarray,
    uncertainty: np.ndarray,
    frames: np.ndarray,
    people: np.ndarray,
    corrected: np.ndarray,
) -> np.ndarray:
    """Orders the faces of a video by the use of a correction.

    Example:
      order = most_useful(landmarks, uncertainty, frames, people, corrected)
      show(frames[order[0]], people[order[0]])

    Args:
      landmarks: (M, 68, 2) or (M, 68, 3), landmarks of M faces, in source pixels.
      uncertainty: (M, 68), standard deviation of x or y, in source pixels.
      frames: int (M,), number of the frame of each face.
      people: int (M,), number of the person of each face.
      corrected: bool (M,), whether a person corrected the face already.

    Returns:
      int64, indices of the faces without a correction, the most useful first.
    """
    corrected = np.asarray(corrected, bool)
    candidates = np.flatnonzero(~corrected)
    if not len(candidates):
        return candidates.astype(np.int64)
    xy = np.asarray(landmarks, np.float64)[..., :2]
    size = topology.face_size(topology.face_box(xy)).clip(1e-6)
    shapes = _upright(xy, size)
    sigma = np.asarray(uncertainty, np.float64) / size[:, None]
    frames, people = np.asarray(frames), np.asarray(people)
    need = sigma.mean(axis=1) * (1 + _contradiction(shapes, sigma, frames, people))
    limited = np.sqrt((need / max(float(np.median(need)), 1e-9)).clip(0, _MAX_NEED))
    limited = np.where(corrected, 0.0, limited)
    in_time = candidates[np.lexsort((frames[candidates], people[candidates]))]
    groups = np.array_split(in_time, min(MAX_CANDIDATES, len(in_time)))
    chosen = np.array([group[np.argmax(need[group])] for group in groups])
    places = np.linspace(0, len(chosen) - 1, min(MAX_COVERED, len(chosen)))
    covered = chosen[places.astype(int)]
    order = _greedy(shapes, frames, people, limited, chosen, covered, corrected)
    rest = np.setdiff1d(candidates, order)
    rest = rest[np.argsort(-need[rest], kind="stable")]
    return np.concatenate([order, rest]).astype(np.int64)


def _upright(xy: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Removes position, size and roll from landmarks.

    Training moves, scales and rotates all faces at random, so these do not make a face
    different.

    Args:
      xy: (M, 68, 2), in source pixels.
      size: (M,), face size, in source pixels.

    Returns:
      (M, 68, 2), in face sizes, with the outer eye corners at the same height.
    """
    right, left = topology.OUTER_EYE_CORNERS
    across = xy[:, left] - xy[:, right]
    angle = np.arctan2(across[:, 1], across[:, 0])
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)
    centred = (xy - xy.mean(axis=1, keepdims=True)) / size[:, None, None]
    return centred @ rotation


def _contradiction(
    shapes: np.ndarray, sigma: np.ndarray, frames: np.ndarray, people: np.ndarray
) -> np.ndarray:
    """Returns how much each face differs from the frames before and after it, (M,).

    The unit is the standard deviation that the model states. The shape between two
    frames is interpolated, so that a head that turns does not contradict itself.
    """
    result = np.zeros(len(shapes))
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        rows = rows[np.argsort(frames[rows], kind="stable")]
        before, here, after = rows[:-2], rows[1:-1], rows[2:]
        span = (frames[after] - frames[before]).clip(1)
        share = ((frames[here] - frames[before]) / span)[:, None, None]
        expected = (1 - share) * shapes[before] + share * shapes[after]
        distance = np.linalg.norm(shapes[here] - expected, axis=-1)
        ratio = (distance / sigma[here].clip(1e-6)).mean(axis=1)
        result[here] = ratio * np.exp(-span / 2 / _NEIGHBOUR_FRAMES)
    return result.clip(0, _MAX_CONTRADICTION)


def _greedy(
    shapes: np.ndarray,
    frames: np.ndarray,
    people: np.ndarray,
    need: np.ndarray,
    candidates: np.ndarray,
    covered: np.ndarray,
    corrected: np.ndarray,
) -> np.ndarray:
    """Chooses faces one after the other; see the module.

    Args:
      shapes: Result of `_upright`.
      frames: See `most_useful`.
      people: See `most_useful`.
      need: (M,), need of each face for a correction.
      candidates: Faces that can be chosen.
      covered: Faces whose needs are summed.
      corrected: See `most_useful`.

    Returns:
      At most `MAX_STEPS` of the candidates.
    """

    def similar(rows: np.ndarray) -> np.ndarray:
        """Share of each need that a correction of each of the rows covers, float32."""
        squares = _squared_distances(shapes[rows], shapes[covered])
        share = np.exp(-0.5 / _SHAPE_SCALE**2 * squares)
        apart = np.abs(frames[rows][:, None] - frames[covered]).astype(np.float32)
        # The shape of a corrected face may differ much from the wrong predictions in
        # the frames next to it. The time does not.
        own = np.maximum(_OTHER_TIME * share, np.exp(-apart / _TIME_SCALE))
        same = people[rows][:, None] == people[covered]
        return np.where(same, own, np.float32(_OTHER_PERSON) * share)

    done = np.flatnonzero(corrected)
    satisfied = similar(done).max(axis=0, initial=0.0)
    similarity = similar(candidates)
    weight = need[covered].astype(np.float32)
    gain = np.maximum(similarity - satisfied, 0) @ weight * need[candidates]
    order = []
    for _ in range(min(MAX_STEPS, len(candidates))):
        # Gains only decrease. So the face with the largest gain is found when its gain
        # is up to date, without those of the others (Minoux, 1978).
        checked = -1
        while (best := int(np.argmax(gain))) != checked:
            new = np.maximum(similarity[best] - satisfied, 0) @ weight
            gain[best] = min(gain[best], new * need[candidates[best]])
            checked = best
        gain[best] = -1.0
        satisfied = np.maximum(satisfied, similarity[best])
        order.append(candidates[best])
    return np.array(order, np.int64)


def _squared_distances(shapes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mean squared distance of landmarks between all pairs of shapes, (A, B)."""
    values = 2 * topology.NUM_LANDMARKS
    a = shapes.reshape(-1, values).astype(np.float32)
    b = others.reshape(-1, values).astype(np.float32)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return squares.clip(0) / topology.NUM_LANDMARKS
