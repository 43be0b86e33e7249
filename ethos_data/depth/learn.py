"""Learns the depth prior from a morphable head and writes its weights.

The program draws heads with random identities and expressions, aligns them by their
landmarks, adds their mirror images so that the prior is symmetric, and computes the
principal components of landmarks and surface grids together. `depth.variation` then
separates people and expressions. The pose is not learned; `Prior.fit` estimates it.
The result contains the grids of `depth.template` and nothing of the head model's mesh.
If a corpus is given, the prior also learns how the landmarks of the corpus differ from
those of the head model.

    python -m ethos_data.depth.learn --head_model ict_facekit_light.npz \
        --corpus_dir CORPUS --output ethos_data/assets/depth_prior.npz
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence

import numpy as np

from ethos_data import options, topology
from ethos_data.corpora import npz_video
from ethos_data.depth import template
from ethos_data.depth.fitting import FLIP, similarity
from ethos_data.depth.prior import Prior
from ethos_data.depth.variation import (
    RIGID,
    RandomHeads,
    importance,
    with_frame_shares,
)
from ethos_data.errors import EthosError, cli
from ethos_data.heads.model import HeadModel


def fit(model: HeadModel, *, num_heads: int, num_components: int, seed: int) -> Prior:
    """Learns a prior.

    Args:
      model: A morphable head with many identities and expressions.
      num_heads: Number of random heads. The mirror image of each is used as well.
      num_components: Number of principal components to keep.
      seed: Random seed.
    """
    grid = template.build(model)
    heads = RandomHeads(model, grid)
    samples = _sample(heads, num_heads, seed)
    samples, mean = _align(samples)
    # With mirror images, the mean is symmetric and each component is either symmetric
    # or antisymmetric. The two kinds are computed separately.
    flipped = _flip(samples, grid.mirror)
    mean = (mean + _flip(mean, grid.mirror)) / 2
    weights = importance(len(mean))
    kinds = [
        _components((samples + flipped) / 2 - mean, weights, num_components),
        _components((samples - flipped) / 2, weights, num_components),
    ]
    variance = np.concatenate([strength for strength, _ in kinds])
    basis = np.concatenate([shapes for _, shapes in kinds])
    largest = np.argsort(-variance, kind="stable")[:num_components]
    prior = Prior(
        mean=mean.astype(np.float32),
        basis=basis[largest].astype(np.float32),
        triangles=grid.triangles,
        frame_share=np.zeros(len(largest), np.float32),
    )
    return with_frame_shares(
        prior, heads, grid.mirror, num_people=max(num_heads // 10, 2), seed=seed
    )


def _sample(heads: RandomHeads, num_heads: int, seed: int) -> np.ndarray:
    """Returns the points of random heads: float32 (N, 68 + P, 3), in cm."""
    draws = [np.random.default_rng((seed, i)) for i in range(num_heads)]
    samples = [heads.frame(heads.person(rng), rng) for rng in draws]
    return np.stack(samples).astype(np.float32)


def _align(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aligns heads by generalised Procrustes analysis of the rigid landmarks.

    Returns:
      The aligned points, and their mean, whose face size is 1.
    """
    mean = samples.mean(axis=0)
    weights = np.zeros(topology.NUM_LANDMARKS)
    weights[RIGID] = 1
    for _ in range(3):
        points = mean[: topology.NUM_LANDMARKS]
        mean = (mean - points[RIGID].mean(axis=0)) / topology.face_size(
            topology.face_box(points)
        )
        target = mean[: topology.NUM_LANDMARKS].astype(np.float64)
        aligned = np.empty_like(samples)
        for k, sample in enumerate(samples):
            scale, rotation, shift = similarity(
                sample[: topology.NUM_LANDMARKS].astype(np.float64), target, weights
            )
            aligned[k] = sample @ (scale * rotation.T).astype(np.float32) + shift
        samples = aligned
        mean = samples.mean(axis=0)
    return samples, mean


def _flip(points: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Mirrors points (..., P, 3) at x = 0."""
    return points[..., mirror, :] * np.array([-1, 1, 1], np.float32)


def _components(
    deviations: np.ndarray, weights: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Computes principal components.

    Args:
      deviations: (N, P, 3), deviations from the mean.
      weights: (P,), weights of the points.
      count: Maximum number of components.

    Returns:
      Variances (k,) and displacements (k, P, 3) per standard deviation.
    """
    flat = (deviations * weights[:, None]).reshape(len(deviations), -1)
    variance, mixing = np.linalg.eigh((flat @ flat.T).astype(np.float64) / len(flat))
    variance, mixing = variance[::-1][:count], mixing[:, ::-1][:, :count]
    # The rows of mixing.T @ flat have the length sqrt(N * variance).
    shapes = (mixing.T.astype(np.float32) @ flat) / np.sqrt(len(flat))
    return variance, shapes.reshape(len(shapes), -1, 3) / weights[:, None]


def with_convention(prior: Prior, landmarks: Sequence[np.ndarray]) -> Prior:
    """Adds the landmark convention of a corpus to a prior.

    The eyelids, jaw and brows of a corpus are not at the vertices that the head model
    calls so. On YouTube Faces they differ by 1.5 % of the face size on average, and a
    face that is fitted to them would be wrong. The mean difference becomes one more
    component, which moves the landmarks but not the surface. Its coefficient is -1 for
    the convention of the model and +1 for that of the corpus, and the fit estimates it.

    Args:
      prior: Result of `fit`.
      landmarks: Landmarks (68, 3) of many people, in source pixels or another unit.
    """
    count = topology.NUM_LANDMARKS
    offset = np.zeros((count, 3))
    for _ in range(4):  # the residual of a fit contains only part of the difference
        mean = prior.mean.copy()
        mean[:count] += offset
        moved = dataclasses.replace(prior, mean=mean)
        residuals = []
        for points in landmarks:
            face = moved.fit(points)
            residual = (points - moved.points([face])[0, :count]) * FLIP / face.scale
            residuals.append(residual @ face.rotation)
        offset += np.median(residuals, axis=0)
        offset = (offset + _flip(offset, topology.MIRROR)) / 2
    mean, component = prior.mean.copy(), np.zeros_like(prior.mean)
    mean[:count] += offset / 2
    component[:count] = offset / 2
    basis = np.concatenate([component[None], prior.basis])
    share = np.concatenate([np.zeros(1, np.float32), prior.frame_share])
    return dataclasses.replace(prior, mean=mean, basis=basis, frame_share=share)


def corpus_landmarks(corpus_dir: str, num_videos: int) -> list[np.ndarray]:
    """Reads the landmarks (68, 3) of the first frame of evenly spaced videos.

    Raises:
      EthosError: The directory contains no videos.
    """
    paths = npz_video.list_videos(corpus_dir)
    if not paths:
        raise EthosError(f"{corpus_dir}: contains no npz files")
    chosen = np.unique(np.linspace(0, len(paths) - 1, num_videos).astype(int))
    videos = (npz_video.read_video(paths[k], max_frames=1) for k in chosen)
    return [video.landmarks[0].astype(np.float64) for video in videos]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """Settings of the program. Each field is a flag; its help text documents it."""

    head_model: str = options.required("npz file of a morphable head", metavar="FILE")
    output: str = options.required("npz file to write", metavar="FILE")
    corpus_dir: str | None = options.option(
        None,
        "Corpus whose landmark convention the prior shall also know",
        metavar="DIR",
    )
    num_videos: int = options.option(
        300, "Number of videos of the corpus to read", minimum=1
    )
    num_heads: int = options.option(2000, "Number of random heads", minimum=2)
    num_components: int = options.option(
        80, "Number of principal components to keep", minimum=1
    )
    seed: int = options.option(0, "Random seed", minimum=0)


def run(settings: LearnOptions) -> Prior:
    """Learns a prior and writes it. See the docstring of this module."""
    prior = fit(
        HeadModel.load(settings.head_model),
        num_heads=settings.num_heads,
        num_components=settings.num_components,
        seed=settings.seed,
    )
    if settings.corpus_dir:
        landmarks = corpus_landmarks(settings.corpus_dir, settings.num_videos)
        prior = with_convention(prior, landmarks)
    os.makedirs(os.path.dirname(os.path.abspath(settings.output)), exist_ok=True)
    prior.save(settings.output)
    return prior


def parser() -> argparse.ArgumentParser:
    """The flags of the program."""
    flags = options.make_parser("python -m ethos_data.depth.learn", __doc__)
    options.add_flags(flags, LearnOptions)
    return flags


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit status."""
    settings = options.from_flags(LearnOptions, parser().parse_args(argv))
    prior = run(settings)
    print(
        f"wrote {settings.output}: {len(prior.basis)} components of 68 landmarks and "
        f"{len(prior.mean) - topology.NUM_LANDMARKS} surface points, "
        f"{os.path.getsize(settings.output) / 1e6:.1f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
