"""Learns the depth prior from a morphable head and writes its weights.

Heads with random identities and expressions are drawn from the model, brought to one
frame by their landmarks, mirrored (so that the prior has no favourite side), and their
landmarks and surface grids are summed up in principal components: what the 68 points
say about the surface between them. The pose needs no training; `Prior.fit` solves for
it. Nothing of the model's mesh is in the file, only the grids of `depth.template`. A
corpus, if given, shows how its landmarks differ from the model's.

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

from ethos_data import topology
from ethos_data.corpora import npz_video
from ethos_data.depth import template
from ethos_data.depth.fitting import FLIP, similarity
from ethos_data.depth.prior import Prior
from ethos_data.errors import EthosError, cli
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE

_RIGID = np.r_[0:5, 12:17, 27:31, 31:36, 36, 39, 42, 45]
"""Landmarks that expressions hardly move: they define a head's frame."""


def fit(model: HeadModel, *, num_heads: int, num_components: int, seed: int) -> Prior:
    """Learns a prior.

    Args:
      model: morphable head; the wider its identities and expressions, the better.
      num_heads: heads to draw; each is used with its mirror image.
      num_components: principal components to keep.
      seed: of the draws.
    """
    grid = template.build(model)
    samples = _sample(model, grid, num_heads, seed)
    samples, mean = _align(samples)
    # Every head with its mirror image: the mean is symmetric, and each component is
    # either symmetric or antisymmetric. The two kinds are found apart, exactly.
    flipped = _flip(samples, grid.mirror)
    mean = (mean + _flip(mean, grid.mirror)) / 2
    importance = _importance(len(mean))
    kinds = [
        _components((samples + flipped) / 2 - mean, importance, num_components),
        _components((samples - flipped) / 2, importance, num_components),
    ]
    variance = np.concatenate([strength for strength, _ in kinds])
    basis = np.concatenate([shapes for _, shapes in kinds])
    kept = np.argsort(-variance, kind="stable")[:num_components]
    return Prior(
        mean=mean.astype(np.float32),
        basis=basis[kept].astype(np.float32),
        triangles=grid.triangles,
    )


def _sample(
    model: HeadModel, grid: template.Template, num_heads: int, seed: int
) -> np.ndarray:
    """Points (N, 68 + P, 3) float32 of random heads, cm."""
    identity = grid.places.of(model.identity).reshape(model.num_identity, -1)
    expression = grid.places.of(model.expression)
    # A glance turns the eyeball in itself, which does not change its surface.
    gaze = [name.startswith("eyeLook") for name in model.expression_names]
    on_eye = (model.parts[grid.places.vertices] == EYE).all(axis=1)
    expression[np.ix_(gaze, on_eye)] = 0
    expression = expression.reshape(model.num_expression, -1)
    draws = [np.random.default_rng((seed, i)) for i in range(num_heads)]
    people = np.stack([model.sample_identity(rng) for rng in draws])
    moods = np.stack([model.sample_expression(rng) for rng in draws])
    samples = people @ identity + moods @ expression
    samples += grid.places.of(model.neutral).ravel()
    return samples.reshape(num_heads, -1, 3).astype(np.float32)


def _align(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generalised Procrustes on the rigid landmarks; the mean face has size 1."""
    mean = samples.mean(axis=0)
    weights = np.zeros(topology.NUM_LANDMARKS)
    weights[_RIGID] = 1
    for _ in range(3):
        points = mean[: topology.NUM_LANDMARKS]
        mean = (mean - points[_RIGID].mean(axis=0)) / topology.face_size(
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
    return points[..., mirror, :] * np.array([-1, 1, 1], np.float32)


def _importance(count: int) -> np.ndarray:
    """(68 + P,): the landmarks together count as much as the surface together."""
    count -= topology.NUM_LANDMARKS
    landmarks = np.full(topology.NUM_LANDMARKS, np.sqrt(count / topology.NUM_LANDMARKS))
    return np.concatenate([landmarks, np.ones(count)]).astype(np.float32)


def _components(
    deviations: np.ndarray, importance: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of (N, P, 3): variances (k,), shapes (k, P, 3) of 1 sd."""
    flat = (deviations * importance[:, None]).reshape(len(deviations), -1)
    variance, mixing = np.linalg.eigh((flat @ flat.T).astype(np.float64) / len(flat))
    variance, mixing = variance[::-1][:count], mixing[:, ::-1][:, :count]
    # Rows of mixing.T @ flat have length sqrt(N * variance).
    shapes = (mixing.T.astype(np.float32) @ flat) / np.sqrt(len(flat))
    return variance, shapes.reshape(len(shapes), -1, 3) / importance[:, None]


def with_convention(prior: Prior, landmarks: Sequence[np.ndarray]) -> Prior:
    """Teaches a prior where other landmarks lie than the head model's.

    A corpus' eyelids, jaw or brows are not the model's vertices of that name: on
    YouTube Faces they differ by 1.5 % of face size on the average, and a face bent to
    meet them would be wrong. Their mean difference becomes one more component, which
    moves landmarks but no surface, with -1 the model's convention and +1 the corpus'.
    The fit then finds out by itself which landmarks it was given.

    Args:
      prior: as `fit` returns it.
      landmarks: (68, 3) each, of many people; source pixels or any unit.
    """
    count = topology.NUM_LANDMARKS
    offset = np.zeros((count, 3))
    for _ in range(4):  # the residual of a fit shows only part of the difference
        mean = prior.mean.copy()
        mean[:count] += offset
        moved = dataclasses.replace(prior, mean=mean)
        left = []
        for points in landmarks:
            face = moved.fit(points)
            misfit = (points - moved.points([face])[0, :count]) * FLIP / face.scale
            left.append(misfit @ face.rotation)
        offset += np.median(left, axis=0)
        offset = (offset + _flip(offset, topology.MIRROR)) / 2
    mean, component = prior.mean.copy(), np.zeros_like(prior.mean)
    mean[:count] += offset / 2
    component[:count] = offset / 2
    basis = np.concatenate([component[None], prior.basis])
    return dataclasses.replace(prior, mean=mean, basis=basis)


def corpus_landmarks(corpus_dir: str, num_videos: int) -> list[np.ndarray]:
    """The first frame's landmarks (68, 3), source pixels, of videos spread evenly."""
    paths = npz_video.list_videos(corpus_dir)
    if not paths:
        raise EthosError(f"{corpus_dir}: no npz files")
    chosen = np.unique(np.linspace(0, len(paths) - 1, num_videos).astype(int))
    videos = (npz_video.read_video(paths[k], max_frames=1) for k in chosen)
    return [video.landmarks[0].astype(np.float64) for video in videos]


def run(
    head_model: str,
    output: str,
    *,
    corpus_dir: str | None = None,
    num_videos: int = 300,
    num_heads: int = 2000,
    num_components: int = 80,
    seed: int = 0,
) -> Prior:
    """Learns a prior and writes it; see the module's docstring."""
    prior = fit(
        HeadModel.load(head_model),
        num_heads=num_heads,
        num_components=num_components,
        seed=seed,
    )
    if corpus_dir:
        prior = with_convention(prior, corpus_landmarks(corpus_dir, num_videos))
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    prior.save(output)
    return prior


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ethos_data.depth.learn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--head_model", required=True, help="npz of a morphable head")
    parser.add_argument("--output", required=True, help="npz to write")
    parser.add_argument(
        "--corpus_dir",
        help="npz videos whose landmarks the prior shall know beside the model's",
    )
    parser.add_argument(
        "--num_videos", type=int, default=300, help="to read of them (default: 300)"
    )
    parser.add_argument(
        "--num_heads", type=int, default=2000, help="heads to draw (default: 2000)"
    )
    parser.add_argument(
        "--num_components", type=int, default=80, help="to keep (default: 80)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    arguments = parser.parse_args(argv)
    prior = run(**vars(arguments))
    print(
        f"Wrote {arguments.output}: {len(prior.basis)} components of 68 landmarks and "
        f"{len(prior.mean) - topology.NUM_LANDMARKS} surface points, "
        f"{os.path.getsize(arguments.output) / 1e6:.1f} MB"
    )
    print(
        "Next: python -m benchmarks.depth_error "
        f"--head_model {arguments.head_model} --prior {arguments.output}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
