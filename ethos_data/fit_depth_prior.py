"""Learns the depth prior from a morphable head and writes its weights.

Heads with random identities and expressions are drawn from the model, brought to one
frame by their landmarks, mirrored (so that the prior has no favourite side), and their
landmarks and surface grids are summed up in principal components: what the 68 points
say about the surface between them. The pose needs no training; `Prior.fit` solves for
it. Nothing of the model's mesh is in the file, only the grid of `depth.template`.

    python -m ethos_data.fit_depth_prior --head_model ict_facekit_light.npz \
        --output ethos_data/assets/depth_prior.npz
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import numpy as np

from ethos_data import head as heads
from ethos_data import landmarks as topology
from ethos_data.depth import template
from ethos_data.depth.fitting import similarity
from ethos_data.depth.prior import Prior
from ethos_data.errors import cli

_RIGID = np.r_[0:5, 12:17, 27:31, 31:36, 36, 39, 42, 45]
"""Landmarks that expressions hardly move: they define a head's frame."""


def fit(
    model: heads.HeadModel, *, num_heads: int, num_components: int, seed: int
) -> Prior:
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
    basis = basis[kept]
    residual = _unexplained(samples - mean, basis, variance[kept], importance)
    return Prior(
        mean=mean.astype(np.float32),
        basis=basis.astype(np.float32),
        triangles=grid.triangles,
        trust=_trust(residual),
    )


def _sample(
    model: heads.HeadModel, grid: template.Template, num_heads: int, seed: int
) -> np.ndarray:
    """Points (N, 68 + P, 3) float32 of random heads, cm."""
    identity = grid.of(model.identity).reshape(model.num_identity, -1)
    expression = grid.of(model.expression)
    # A glance turns the eyeball in itself, which does not change its surface.
    gaze = [name.startswith("eyeLook") for name in model.expression_names]
    on_eye = (model.parts[grid.vertices] == heads.EYE).all(axis=1)
    expression[np.ix_(gaze, on_eye)] = 0
    expression = expression.reshape(model.num_expression, -1)
    draws = [np.random.default_rng((seed, i)) for i in range(num_heads)]
    people = np.stack([model.sample_identity(rng) for rng in draws])
    moods = np.stack([model.sample_expression(rng) for rng in draws])
    samples = people @ identity + moods @ expression + grid.of(model.neutral).ravel()
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


def _unexplained(
    deviations: np.ndarray,
    basis: np.ndarray,
    variance: np.ndarray,
    importance: np.ndarray,
) -> np.ndarray:
    """(68 + P,): RMS per coordinate of what the components leave out."""
    flat = (deviations * importance[:, None]).reshape(len(deviations), -1)
    shapes = (basis * importance[:, None]).reshape(len(basis), -1)
    left = flat - (flat @ shapes.T / variance.astype(np.float32)) @ shapes
    left = left.reshape(deviations.shape) / importance[:, None]
    return np.sqrt((left**2).mean(axis=(0, 2)))


def _trust(residual: np.ndarray) -> np.ndarray:
    return np.ones(topology.NUM_LANDMARKS, np.float32)


def run(
    head_model: str,
    output: str,
    *,
    num_heads: int = 2000,
    num_components: int = 80,
    seed: int = 0,
) -> Prior:
    """Learns a prior and writes it; see the module's docstring."""
    prior = fit(
        heads.HeadModel.load(head_model),
        num_heads=num_heads,
        num_components=num_components,
        seed=seed,
    )
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    prior.save(output)
    return prior


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ethos_data.fit_depth_prior",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--head_model", required=True, help="npz of a morphable head")
    parser.add_argument("--output", required=True, help="npz to write")
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
