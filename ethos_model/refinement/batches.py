"""Batches of corrected faces and rendered heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data import depth_codec, records, topology
from ethos_data.batches import augment, examples
from ethos_data.batches.examples import Examples
from ethos_data.visibility import UNSTATED
from ethos_model.refinement.recipe import Recipe

Batch = dict[str, np.ndarray]

_TURNED: Final = 0.1
"""Share of the training images that are turned by any angle, as in the training of the
shipped model."""


def decoded(stored: Sequence[records.Record]) -> Examples:
    """Returns records as decoded examples, which batches are sampled from.

    Args:
      stored: At least one record.
    """
    unstated = np.full(stored[0].landmarks.shape[0], UNSTATED, np.uint8)
    return Examples(
        pixels=np.concatenate([record.image.reshape(-1) for record in stored]),
        sides=np.array([len(record.image) for record in stored], np.int64),
        depth=np.stack(
            [depth_codec.encode(r.depth, *records.DEPTH_RANGE) for r in stored]
        ),
        landmarks=np.stack([record.landmarks for record in stored]),
        windows=np.array(
            [(r.window.left, r.window.top, r.window.size) for r in stored], np.float32
        ),
        face_size=np.array([record.face_size for record in stored], np.float32),
        visible=np.stack(
            [unstated if r.visible is None else r.visible for r in stored]
        ),
        has_z=np.array([record.has_z for record in stored], bool),
    )


def training_batch(
    faces: Examples,
    heads: Examples,
    recipe: Recipe,
    step: int,
    *,
    image_size: int,
    label_shift: float,
) -> Batch:
    """Returns the images of a training step.

    The faces and the heads are drawn in a random order that contains each of them once
    before it repeats. Windows are moved, rotated, scaled and mirrored at random.

    Args:
      faces: The corrected faces.
      heads: The rendered heads.
      recipe: The recipe.
      step: Number of the step. It determines the batch.
      image_size: Width and height S of the network's input, in pixels.
      label_shift: Offset of the labels that the model learnt, in % of the face size.
        The labels of the batch get this offset.

    Returns:
      See `examples.sample`: arrays of `recipe.batch_size` images.
    """
    parts = []
    for number, (source, count) in enumerate(
        ((faces, recipe.batch_size - recipe.heads), (heads, recipe.heads))
    ):
        if not count:
            continue
        index = np.arange(step * count, (step + 1) * count)
        parts.append(
            examples.sample(
                source,
                _shuffled(len(source), index, (recipe.seed, number)),
                index=index,
                image_size=image_size,
                depth_size=image_size,
                augmentation=augment.Augmentation(
                    turned=_TURNED, wanted_shift=label_shift
                ),
                seed=2 * recipe.seed + number,
            )
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shuffled(length: int, index: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """Returns rows, int64, in an order that contains all rows in each round."""
    rounds = {
        number: np.random.default_rng((*seed, number)).permutation(length)
        for number in np.unique(index // length).tolist()
    }
    return np.array([rounds[i // length][i % length] for i in index.tolist()])


def evaluation_batch(source: Examples, image_size: int) -> Batch:
    """Returns all examples in the windows that the predictor would cut.

    Args:
      source: The examples.
      image_size: Width and height S of the network's input, in pixels.

    Returns:
      See `examples.sample`.
    """
    rows = np.arange(len(source))
    return examples.sample(
        source,
        rows,
        index=rows,
        image_size=image_size,
        depth_size=image_size,
        augmentation=augment.NONE,
        seed=0,
    )


def errors(batch: Batch, landmarks: Any) -> np.ndarray:
    """Returns the error of each face: NME_box in %.

    Args:
      batch: Result of `evaluation_batch`. Only landmarks with a label count.
      landmarks: (N, 68, 3), predicted, normalised, without the offset of the labels.

    Returns:
      float64 (N,), the mean distance in x and y divided by sqrt(w * h) of the true box.
    """
    true = batch["landmarks"].astype(np.float64)
    distance = np.linalg.norm((landmarks - true)[..., :2], axis=-1)
    known = batch["visible"] > 0
    mean = (distance * known).sum(axis=1) / known.sum(axis=1).clip(1)
    return 100 * mean / face_sizes(true)


def face_sizes(landmarks: np.ndarray) -> np.ndarray:
    """Returns sqrt(w * h) of the boxes of landmarks (N, 68, 3), in their unit, (N,)."""
    return topology.face_size(topology.face_box(landmarks))
