"""Measures whether the tracker keeps the identities of people in rendered clips.

    python -m benchmarks.identities

The clips show several people who cross, meet, leave, are hidden and are seen in
different shots. A reported face is matched with the true face that it overlaps (IoU
above 0.4). An identity switch is a true person whose number changes. IDF1 (Ristani et
al., 2016) is the share of correct numbers when each person is paired with one number
over the whole clip. All people are rendered, so no data is needed.

The faces are measured as `ethos-annotate` reports them for files: after `refine`, which
knows the frames after each frame. The baseline are the faces of the tracker, as they
are shown in live video.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks import measure, rendered_clips
from benchmarks.rendered_clips import Clip, Person, Truth
from ethos_data import options, progress
from ethos_data.errors import cli
from ethos_data.topology import iou
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.reader import Frame
from ethos_model.footage.refining.refine import refine
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.footage.tracks import FrameFaces, without_images
from ethos_model.predict import FacePredictor

MIN_OVERLAP: Final = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    seeds: int = options.option(2, "Number of sets of six people", minimum=1)
    first_seed: int = options.option(100, "Seed of the first set of people")
    clip: str = options.option("", "Only clips whose name contains this text")
    output: str = measure.output_option("identities")


@dataclasses.dataclass
class Counts:
    """What is counted over clips.

    Attributes:
      faces: Number of true faces.
      reported: Number of reported faces.
      matched: Number of pairs of both.
      correct: Number of matched faces with the number of their person.
      switches: Number of identity switches.
      numbers: Number of different reported numbers.
      people: Number of people.
      unsure: Number of reported faces that are unsure.
      seconds: Processor time of the tracker.
      frames: Number of frames.
    """

    faces: int = 0
    reported: int = 0
    matched: int = 0
    correct: int = 0
    switches: int = 0
    numbers: int = 0
    people: int = 0
    unsure: int = 0
    seconds: float = 0.0
    frames: int = 0

    def figures(self) -> dict[str, float]:
        """The columns of the table."""
        return {
            "IDF1 %": round(200 * self.correct / max(self.faces + self.reported, 1), 1),
            "identity switches": self.switches,
            "found %": round(100 * self.matched / max(self.faces, 1), 1),
            "false per frame": round((self.reported - self.matched) / self.frames, 3),
            "people": self.people,
            "numbers": self.numbers,
            "unsure %": round(100 * self.unsure / max(self.reported, 1), 1),
            "processor ms per frame": round(1000 * self.seconds / self.frames, 1),
        }


def follow(
    tracker: FaceTracker, clip: Clip, people: list[Person], seed: int
) -> tuple[list[np.ndarray], list[FrameFaces], list[Truth], float]:
    """Tracks a clip.

    Args:
      tracker: The tracker.
      clip: The clip.
      people: The people in it.
      seed: Seed of the backgrounds and the noise.

    Returns:
      The images, the tracked faces, the true faces, and the processor time in seconds.
    """
    tracker.reset()
    images, tracks, truths, seconds = [], [], [], 0.0
    for t, (image, truth) in enumerate(rendered_clips.play(clip, people, seed)):
        started, timestamp = time.process_time(), t / rendered_clips.FPS
        faces = tuple(map(without_images, tracker.update(image, timestamp)))
        seconds += time.process_time() - started
        renumbered = dict(tracker.renumbered)
        tracks.append(
            FrameFaces(t, timestamp, faces, shot=tracker.shot, renumbered=renumbered)
        )
        images.append(image)
        truths.append(truth)
    return images, tracks, truths, seconds


def score(
    frames: Sequence[FrameFaces], truths: Sequence[Truth], counts: Counts
) -> None:
    """Compares the faces of a clip with the truth and adds to the counts."""
    together: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    numbers: set[int] = set()
    seen: set[int] = set()
    for frame, truth in zip(frames, truths, strict=True):
        tracked = frame.faces
        counts.frames += 1
        counts.faces += len(truth.ids)
        counts.reported += len(tracked)
        counts.unsure += sum(face.unsure for face in tracked)
        numbers |= {face.id for face in tracked}
        seen |= set(truth.ids.tolist())
        if not tracked or not len(truth.ids):
            continue
        boxes = np.array([face.box for face in tracked], np.float64)
        overlaps = iou(truth.boxes[:, None], boxes[None])
        for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
            if overlaps[row, column] <= MIN_OVERLAP:
                continue
            person, number = int(truth.ids[row]), tracked[column].id
            counts.matched += 1
            counts.switches += last.get(person, number) != number
            last[person] = number
            key = person, number
            together[key] = together.get(key, 0) + 1
    counts.correct += _best_pairing(together)
    counts.numbers += len(numbers)
    counts.people += len(seen)


def _best_pairing(together: dict[tuple[int, int], int]) -> int:
    """Returns the number of common frames of the best pairs of people and numbers."""
    people = sorted({person for person, _ in together})
    numbers = sorted({number for _, number in together})
    table = np.array([[together.get((p, n), 0) for n in numbers] for p in people])
    if not table.size:
        return 0
    return int(table[linear_sum_assignment(-table)].sum())


def run(chosen: Options) -> dict[str, tuple[Counts, Counts]]:
    """Measures all clips; returns the counts while tracking and after refining."""
    clips = [clip for clip in rendered_clips.clips() if chosen.clip in clip.name]
    counts = {clip.name: (Counts(), Counts()) for clip in clips}
    predictor = FacePredictor()
    finder = FaceFinder(predictor=predictor)
    tracker = FaceTracker(predictor, finder, TrackerOptions(smoothing=False))
    with progress.bar(chosen.seeds * len(clips), "clips") as bar:
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            people = rendered_clips.render_people(6, seed)
            for clip in clips:
                live, refined = counts[clip.name]
                images, tracks, truths, seconds = follow(tracker, clip, people, seed)
                score(tracks, truths, live)

                def read(
                    indices: Sequence[int], images: Sequence[np.ndarray] = images
                ) -> Iterator[Frame]:
                    for index in indices:
                        yield Frame(images[index], index, index / rendered_clips.FPS)

                started = time.process_time()
                score(list(refine(tracks, read, predictor)), truths, refined)
                live.seconds += seconds
                refined.seconds += seconds + time.process_time() - started
                bar.update()
    return counts


def table(counts: dict[str, Counts]) -> dict[str, dict[str, float]]:
    """The rows of the table: each clip, and all of them."""
    total = Counts(
        **{
            field.name: sum(getattr(part, field.name) for part in counts.values())
            for field in dataclasses.fields(Counts)
        }
    )
    return {name: part.figures() for name, part in (counts | {"all": total}).items()}


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("identities", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))

    counts = run(chosen)
    figures = table({name: refined for name, (_, refined) in counts.items()})
    before = table({name: live for name, (live, _) in counts.items()})
    columns = [
        *("IDF1 %", "identity switches", "found %", "false per frame", "numbers"),
        "processor ms per frame",
    ]
    baseline = {
        row: {f"{column}, live": cells[column] for column in columns}
        for row, cells in before.items()
    }
    measure.save(
        "identities",
        chosen,
        what="Identities in rendered clips of 640 x 360 with several people. IDF1 is "
        "the share of faces whose number belongs to their person over the whole clip. "
        "Baseline: the faces in live video, before they are refined.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
