"""How much corrections help, without a person: ethos-refine on rendered people.

    python -m benchmarks.refine --head_model ict_facekit_light.npz --data_dir YTF_DATA

A simulated user has videos of people of a kind that the model has never seen (see
`corrected_people`), and corrects 10, 20 or 50 faces: those that the key N suggests, or
random faces. Each row is the mean over several users with other videos. A fifth of the
corrections is held out, as in ethos-refine.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from benchmarks import corrected_people, measure
from benchmarks.corrected_people import Shot
from ethos_data import dataset_files, options, records
from ethos_data.errors import cli
from ethos_data.heads.model import HeadModel
from ethos_data.quiet import import_tensorflow
from ethos_data.records import Record
from ethos_data.storage import tfrecord, user_cache
from ethos_model import predict
from ethos_model.refinement import batches, course, start, teacher
from ethos_model.refinement.recipe import Recipe
from pipelines.refinement import heads, split

COUNTS: Final = (20, 10, 50)
"""Numbers of corrections, in the order in which they are measured."""

CHOICES: Final = ("suggested", "random")

TEST_PEOPLE: Final = 30
TEST_FRAMES: Final = 4
"""Numbers of the other people of the unseen kind, and of their frames."""

OTHER_FACES: Final = 100
"""Maximum number of faces of each other kind."""

_TEST_SEED: Final = 7001
_ICT_SEED: Final = 7002
_USER_SEED: Final = 8000
"""Random seeds of the people. Users of tuning runs have other seeds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    head_model: str | None = options.option(
        None, "npz file of a morphable head on which forgetting is measured"
    )
    data_dir: str | None = options.option(
        None, "Converted data set on whose test people forgetting is measured"
    )
    label_shift: float = options.option(
        1.5, "Offset of the labels of --data_dir, in % of the face size"
    )
    model: str | None = options.option(
        None, "Directory of an exported model; without it, the shipped model"
    )
    users: int = options.option(5, "Number of simulated users", minimum=1)
    first_user: int = options.option(0, "Number of the first user", minimum=0)
    minutes: float = options.option(
        60, "Time after which no further corrections are measured, in minutes", above=0
    )
    steps: int = options.option(Recipe.steps, "Number of training steps", minimum=1)
    output: str = measure.output_option("refine")


@dataclasses.dataclass(frozen=True)
class Kind:
    """Faces on which a model is measured.

    Attributes:
      name: Name of the column.
      batch: The faces in the windows of the predictor.
      shift: Offset of their labels, in % of the face size.
    """

    name: str
    batch: batches.Batch
    shift: float = 0.0


def kinds(chosen: Options, size: int) -> list[Kind]:
    """Returns the faces of all kinds. The first are the other people.

    Args:
      chosen: The options.
      size: Width and height of the network's input, in pixels.
    """

    def kind(name: str, faces: Sequence[Record], shift: float = 0.0) -> Kind:
        places = np.linspace(0, len(faces) - 1, min(OTHER_FACES, len(faces)))
        some = [faces[place] for place in places.astype(int).tolist()]
        decoded = batches.decoded(some)
        return Kind(name, batches.evaluation_batch(decoded, size), shift)

    lengths = [TEST_FRAMES] * TEST_PEOPLE
    unseen = corrected_people.unseen_model()
    shots = corrected_people.film(unseen, _TEST_SEED, lengths, step=10, unseen=True)
    result = [
        kind("unseen kind", [corrected_people.record(s, by_hand=True) for s in shots])
    ]
    if chosen.head_model is not None:
        model = HeadModel.load(chosen.head_model)
        shots = corrected_people.film(model, _ICT_SEED, lengths, step=10, unseen=False)
        faces = [corrected_people.record(shot, by_hand=False) for shot in shots]
        result.append(kind("ICT heads", faces))
    else:
        print("no --head_model: forgetting on ICT heads is not measured")
    if chosen.data_dir is not None:
        directory = dataset_files.version_dir(chosen.data_dir)
        stored: list[Record] = []
        for path in dataset_files.shard_paths(directory, "test"):
            with open(path, "rb") as file:
                stored += map(records.decode, tfrecord.read(file))
        result.append(kind("real test people", stored, chosen.label_shift))
    else:
        print("no --data_dir: forgetting on real people is not measured")
    return result


def errors(tuner: Any, measured: Sequence[Kind]) -> dict[str, float]:
    """Mean error of the current weights on each kind, NME_box in %."""
    result = {}
    for kind in measured:
        landmarks = tuner.predict(kind.batch["image"])["landmarks"]
        if kind.shift:
            size = batches.face_sizes(landmarks)
            landmarks[..., 0] += kind.shift / 100 * size[:, None]
        result[kind.name] = float(batches.errors(kind.batch, landmarks).mean())
    return result


def refine(
    tuner: Any,
    recipe: Recipe,
    shots: Sequence[Shot],
    chosen: Sequence[int],
    rendered: heads.Heads,
    labelled: Sequence[Record],
) -> None:
    """Refines with the chosen corrections, as ethos-refine does, in this process.

    Args:
      tuner: The network. It starts again from its first weights.
      recipe: Settings of the training.
      shots: All frames of a user.
      chosen: The corrected frames.
      rendered: Rendered heads.
      labelled: Those for training, labelled by the present model.
    """
    by_video: dict[int, list[Shot]] = {}
    for index in chosen:
        by_video.setdefault(shots[index].person, []).append(shots[index])
    videos = [by_video[person] for person in sorted(by_video)]
    parts = split.split([[corrected_people.correction(s) for s in v] for v in videos])
    known = {(shot.person, shot.frame): shot for shot in shots}

    def faces(groups: Sequence[Sequence[Any]]) -> list[Record]:
        return [
            corrected_people.record(known[face.face, face.frame], by_hand=True)
            for group in groups
            for face in group
        ]

    size = int(tuner.model.input.shape[1])
    held_out = tuple(
        batches.evaluation_batch(batches.decoded(part), size)
        for part in (faces(parts.held_out), rendered.held_out)
    )
    tuner.restart(recipe)
    before = course.measure(tuner, held_out)
    course.train(tuner, faces(parts.training), labelled, held_out)
    course.choose_best(tuner, before, held_out)


def equal_count(suggested: Sequence[float], random: Sequence[float]) -> list[float]:
    """How many random corrections reach the error of the suggested corrections.

    The error is interpolated over the logarithm of the number.

    Args:
      suggested: Errors with the suggested corrections, by `sorted(COUNTS)`.
      random: Errors with random corrections.

    Returns:
      For each number of suggested corrections, that number divided by the number of
      random corrections with the same error. Outside of the measured numbers, the limit
      is used.
    """
    counts = np.array(sorted(COUNTS), float)
    falling = np.minimum.accumulate(random)
    # np.interp needs ascending errors.
    logs = np.interp(suggested, falling[::-1], np.log(counts)[::-1])
    return (counts / np.exp(logs)).round(2).tolist()


def figures(
    before: dict[str, float], runs: dict[tuple[str, int], list[dict[str, float]]]
) -> measure.Figures:
    """The rows of the table, from the errors of all runs."""
    rows: dict[str, dict[str, Any]] = {}
    rows["before"] = {f"{name} %": round(value, 2) for name, value in before.items()}
    for (choice, count), results in sorted(runs.items(), key=lambda item: item[0][1]):
        cells: dict[str, Any] = {}
        for name, first in before.items():
            values = [result[name] for result in results]
            cells[f"{name} %"] = round(float(np.mean(values)), 2)
            if name == "unseen kind":
                cells["worst user %"] = round(max(values), 2)
                cells["share of the error before"] = round(np.mean(values) / first, 2)
            else:
                change = 100 * (np.mean(values) / first - 1)
                cells[f"{name}, change %"] = round(float(change), 1)
        rows[f"{count} corrections, {choice}"] = cells
    means = {
        choice: [
            np.mean([run["unseen kind"] for run in runs[choice, count]])
            for count in sorted(COUNTS)
        ]
        for choice in CHOICES
        if all((choice, count) in runs for count in COUNTS)
    }
    if len(means) == len(CHOICES):
        shares = equal_count(means["suggested"], means["random"])
        for count, share in zip(sorted(COUNTS), shares, strict=True):
            row = rows[f"{count} corrections, suggested"]
            row["corrections compared with random"] = share
    return rows


def run(
    chosen: Options, show: Callable[[str], None] = print
) -> tuple[dict[str, float], dict[tuple[str, int], list[dict[str, float]]], int]:
    """Measures all users.

    Returns:
      The errors before, the errors of each user by choice and number of corrections,
      and the number of users.
    """
    began = time.monotonic()
    directory, card = start.check(chosen.model)
    rendered = heads.load(user_cache.directory(), lambda done, total: None)
    predictor = predict.FacePredictor(directory)
    labelled = teacher.relabelled(rendered.training, predictor)
    import_tensorflow()
    from ethos_model.refinement.tuner import Tuner

    recipe = Recipe(steps=chosen.steps)
    shift = float(card.get("label_shift", 0))
    tuner = Tuner(start.load(directory, card), recipe, label_shift=shift)
    measured = kinds(chosen, int(card["image_size"]))
    before = errors(tuner, measured)
    show(f"before: {before}")
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    model = corrected_people.unseen_model()
    users = 0
    for user in range(chosen.first_user, chosen.first_user + chosen.users):
        if time.monotonic() - began > 60 * chosen.minutes:
            break
        seed = _USER_SEED + user
        film = corrected_people.film(
            model, seed, corrected_people.VIDEOS, step=1, unseen=True
        )
        shots = list(film)
        wanted = corrected_people.suggested(shots, predictor, max(COUNTS))
        for count in COUNTS:
            if time.monotonic() - began > 60 * chosen.minutes:
                break
            random = corrected_people.at_random(shots, count, seed)
            for choice, faces in zip(CHOICES, (wanted[:count], random), strict=True):
                settings = dataclasses.replace(recipe, seed=user)
                refine(tuner, settings, shots, faces, rendered, labelled)
                result = errors(tuner, measured)
                runs.setdefault((choice, count), []).append(result)
                minutes = (time.monotonic() - began) / 60
                show(f"user {user}, {count} {choice}: {result} ({minutes:.0f} min)")
        users += 1
    return before, runs, users


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("refine", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes its result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    before, runs, users = run(chosen)
    rows = figures(before, runs)
    first = {"before": rows.pop("before")}
    measure.save(
        "refine",
        chosen,
        what=(
            "ethos-refine with corrections of a simulated user, without interpolated "
            "faces: wide heads seen by a false-colour thermal camera, a kind that the "
            f"model has never seen. Means over {users} users, each with 8 videos of 8 "
            f"people, {sum(corrected_people.VIDEOS)} frames. NME_box in % on "
            f"{TEST_PEOPLE} other people of this kind and, for forgetting, on other "
            "kinds of faces. Corrections compared with random: number of suggested "
            "corrections divided by the number of random corrections that reach the "
            "same error."
        ),
        figures=rows,
        baseline=first,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
