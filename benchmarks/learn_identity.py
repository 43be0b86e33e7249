"""Learns the projections that recognise a person again within one video.

    python -m benchmarks.learn_identity CORPUS [--asset FILE.npz]

CORPUS contains npz videos with landmarks and several frames per video. Each frame is
used as it is and degraded. The projections are learned on the training people, and the
weights of the three parts on the validation people. The errors are measured on the test
people: two frames of one video, or frames of two people. Run this command again with
`--asset ethos_model/footage/assets/identity.npz` after the landmark network has been
trained.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks import finding, labelled_frames, measure
from ethos_data import options, progress
from ethos_data.corpora import npz_video
from ethos_data.errors import cli
from ethos_data.storage import files
from ethos_data.topology import MIRROR, face_box
from ethos_model.footage import identity
from ethos_model.footage.identity import Features
from ethos_model.predict import FacePredictor

COMPONENTS: Final = {"shape": (60, 24), "grey": (150, 24), "colour": (60, 16)}
"""Number of principal components that are kept, and of discriminant directions."""

COLOUR_WEIGHT: Final = 4.0
"""Weight of the colours. It is not learned: the videos of a corpus differ in light and
background, so colours look more reliable there than they are within one video."""

MAX_PAIRS: Final = 6000

DEGRADATIONS: Final = (
    "0.2 of the light",
    "15 px motion blur",
    "4x downsampled",
    "JPEG quality 5",
    "0.05 of the light",
)
"""One of them is used for each frame, in turn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    corpus_dir: str = options.required(
        "Directory with npz videos", positional=True, metavar="CORPUS"
    )
    model: str | None = options.option(
        None, "Directory of an exported model; the included one if it is not given"
    )
    asset: str | None = options.option(
        None, "File for the projections; not written if it is not given", metavar="FILE"
    )
    output: str = measure.output_option("learn_identity")


@dataclasses.dataclass(frozen=True)
class Samples:
    """Features of many faces.

    Attributes:
      features: For each part of `Features`, float32 (N, features).
      person: int (N,), number of the person.
      video: int (N,), number of the video.
      frame: int (N,), number of the frame within its video.
      split: Name of the split of each face.
    """

    features: dict[str, np.ndarray]
    person: np.ndarray
    video: np.ndarray
    frame: np.ndarray
    split: np.ndarray


def mean_shape(landmarks: np.ndarray) -> np.ndarray:
    """Returns the mean frontal shape of faces (N, 68, 3): float64 (68, 3)."""
    mean = landmarks[0] - landmarks[0].mean(axis=0)
    for _ in range(5):
        mean = np.mean([identity.normalized_shape(x, mean) for x in landmarks], axis=0)
        mean = mean + mean[MIRROR] * (-1, 1, 1)  # symmetric, hence frontal
        mean /= np.sqrt((mean**2).sum(axis=1).mean())
    return mean


def collect(chosen: Options) -> tuple[Samples, np.ndarray]:
    """Predicts and describes all faces of the corpus; returns the mean shape too."""
    predictor = FacePredictor(chosen.model)
    paths = npz_video.list_videos(chosen.corpus_dir)
    split_of = labelled_frames.split_people(paths)
    faces, rows = [], []
    with progress.bar(len(paths), "videos") as bar:
        for number, path in enumerate(paths):
            video = npz_video.read_video(path)
            for index, frame in enumerate(video.frames):
                seed = zlib.crc32(f"{video.video_id}/{index}".encode())
                box = face_box(video.landmarks[index])
                degraded = DEGRADATIONS[(number + index) % len(DEGRADATIONS)]
                for condition in ("clean", degraded):
                    image = finding.CONDITIONS[condition](frame, seed)
                    (face,) = predictor.predict(image, [box])
                    faces.append((image, face))
                    rows.append((video.person_id, number, index))
            bar.update()
    person = np.unique([row[0] for row in rows], return_inverse=True)[1]
    split = np.array([split_of[row[0]] for row in rows])
    trained = [
        x.landmarks for (_, x), s in zip(faces, split, strict=True) if s == "train"
    ]
    reference = mean_shape(np.array(trained[::4], np.float64))
    described = [identity.features_of(image, x, reference) for image, x in faces]
    features = {
        part.name: np.stack([getattr(f, part.name) for f in described])
        for part in dataclasses.fields(Features)
    }
    columns = [np.array([row[k] for row in rows]) for k in (1, 2)]
    return Samples(features, person, *columns, split), reference


def discriminant(
    features: np.ndarray, classes: np.ndarray, kept: int, directions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Principal components, then linear discriminant analysis (Fisher, 1936).

    Args:
      features: (N, F).
      classes: int (N,), number of the class of each row.
      kept: Number of principal components.
      directions: Number of discriminant directions.

    Returns:
      Mean (F,) and basis (F, directions). Within a class, the projected features have
      variance 1 in each direction.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    components = np.linalg.svd(centred[:4000], full_matrices=False)[2][:kept].T
    reduced = centred @ components
    names, number = np.unique(classes, return_inverse=True)
    means = np.stack([reduced[number == k].mean(axis=0) for k in range(len(names))])
    within = np.cov((reduced - means[number]).T)
    within += 0.05 * np.trace(within) / kept * np.eye(kept)
    whiten = np.linalg.inv(np.linalg.cholesky(within)).T
    between = whiten.T @ np.cov(means.T) @ whiten
    vectors = np.linalg.eigh(between)[1][:, ::-1][:, :directions]
    return mean, components @ whiten @ vectors


def pairs(samples: Samples, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (N, 2) of two frames of one video, and of frames of two people."""
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(samples.split == split)
    first, second = rng.choice(rows, (2, 3 * MAX_PAIRS))
    others = samples.person[first] != samples.person[second]
    different = np.stack([first[others], second[others]], axis=1)[:MAX_PAIRS]
    same = [
        (a, b)
        for video in np.unique(samples.video[rows])
        for a in rows[samples.video[rows] == video]
        for b in rows[samples.video[rows] == video]
        if samples.frame[a] < samples.frame[b]
    ]
    return np.array(same)[:MAX_PAIRS], different


def similarities(projected: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Cosine of each part for pairs of rows (N, 2): float64 (N, 3)."""
    columns = []
    for vectors in projected:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        columns.append((unit[rows[:, 0]] * unit[rows[:, 1]]).sum(axis=1))
    return np.stack(columns, axis=1)


def logistic_weights(same: np.ndarray, different: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method, the colours' weight being fixed.

    Args:
      same: (N, 3), similarities of pairs of one person.
      different: (M, 3), similarities of pairs of two people.

    Returns:
      float64 (4,): the weights of the three parts and the constant.
    """
    values = np.concatenate([same, different])
    target = np.r_[np.ones(len(same)), np.zeros(len(different))]
    importance = np.r_[
        np.full(len(same), 0.5 / len(same)),
        np.full(len(different), 0.5 / len(different)),
    ]
    design = np.column_stack([values[:, :2], np.ones(len(values))])
    offset = COLOUR_WEIGHT * values[:, 2]
    weights = np.zeros(3)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-(design @ weights + offset)))
        gradient = design.T @ (importance * (probability - target)) + 1e-4 * weights
        curvature = importance * probability * (1 - probability)
        hessian = (design * curvature[:, None]).T @ design + 1e-4 * np.eye(3)
        weights -= np.linalg.solve(hessian, gradient)
    return np.array([weights[0], weights[1], COLOUR_WEIGHT, weights[2]])


def equal_error(same: np.ndarray, different: np.ndarray) -> float:
    """Returns the rate, in %, at which both kinds of error are equally frequent."""
    thresholds = np.sort(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    mistaken = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    index = int(np.argmin(np.abs(missed - mistaken)))
    return 50 * float(missed[index] + mistaken[index])


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("learn_identity", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Learns the projections and measures their errors."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    samples, reference = collect(chosen)
    train = samples.split == "train"
    arrays, projected = {"reference": reference}, []
    for part, (kept, directions) in COMPONENTS.items():
        features = samples.features[part]
        classes = samples.video if part == "colour" else samples.person
        mean, basis = discriminant(features[train], classes[train], kept, directions)
        arrays |= {f"{part}_mean": mean, f"{part}_basis": basis}
        projected.append((features - mean) @ basis)
    weights = logistic_weights(
        *(similarities(projected, rows) for rows in pairs(samples, "validation"))
    )
    arrays["weights"] = weights
    same, different = (similarities(projected, rows) for rows in pairs(samples, "test"))
    figures = {
        part: {"equal error rate %": round(equal_error(same[:, k], different[:, k]), 1)}
        for k, part in enumerate(COMPONENTS)
    }
    figures["all"] = {
        "equal error rate %": round(
            equal_error(same @ weights[:3], different @ weights[:3]), 1
        )
    }
    if chosen.asset is not None:
        buffer = io.BytesIO()
        half = {name: np.float16(array) for name, array in arrays.items()}
        np.savez_compressed(buffer, **half)
        files.write(chosen.asset, iter([buffer.getvalue()]))
    print(f"weights: {np.round(weights, 2).tolist()}")
    measure.save(
        "learn_identity",
        chosen,
        what="Are two faces the same person? Error rate for single frames of test "
        "people, half of them degraded: two frames of one video against frames of two "
        "people.",
        figures=figures,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
