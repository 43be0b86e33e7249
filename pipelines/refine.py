"""Trains the model further on faces that were corrected in the viewer.

    ethos-refine clip.mp4 --output better
    ethos-view other.mp4 --model better

The corrections of a video are in clip.corrections.csv next to it. A folder can contain
videos with corrections, or images with corrections.csv. Four corrected frames are the
minimum. In a test, 20 faces halved the error on footage of a new kind. Use the new
model for such footage: its error on other faces was 5 to 7 % higher.

A fifth of the corrected frames is held out and measures the error. Rendered heads in
each step keep the model from forgetting other faces. The new model is written only if
its error on the held-out corrections is lower, and its error on rendered heads at most
2 % higher. Otherwise nothing is written, and the exit status is 1. Ctrl-C stops at any
time and leaves nothing behind.

--progress json writes one JSON object per line to stdout, for other programs.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ethos_data import next_step, options
from ethos_data.errors import INTERRUPTED, EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_data.records import Record
from ethos_data.storage import files, user_cache
from ethos_model import export, predict
from ethos_model.refinement import batches, course, start, teacher
from ethos_model.refinement.recipe import Recipe
from ethos_model.training.stopping import Stopper, Terminated
from pipelines import paths
from pipelines.refinement import events, footage, heads, split

if TYPE_CHECKING:
    from ethos_model.refinement.tuner import Tuner


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefineOptions:
    """What to refine. Each field is a flag; its help text documents it."""

    videos: tuple[str, ...] = options.required(
        "Videos with corrections, or folders with them",
        positional=True,
        metavar="VIDEO",
    )
    output: str = options.required(
        "Directory to write the new model to", metavar="MODEL", local=True
    )
    model: str | None = options.option(
        None,
        "Directory of the exported model to start from (default: the shipped model)",
        metavar="DIR",
        local=True,
    )
    steps: int = options.option(
        Recipe.steps, "Number of training steps of 16 images", minimum=1
    )
    seed: int = options.option(0, "Random seed of the training", minimum=0)
    overwrite: bool = options.option(False, "Replace an existing model")
    cache_dir: str = options.option(
        "",
        "Directory in which the rendered heads are kept for the next time",
        metavar="DIR",
        local=True,
        default_text="$ETHOS_CACHE or ~/.cache/ethos",
    )
    progress: str = options.option(
        "text",
        "Progress for people, or one JSON object per line",
        choices=events.FORMATS,
    )


@dataclasses.dataclass(frozen=True)
class Refinement:
    """The result of a refinement.

    Attributes:
      before: Errors of the first model.
      after: Errors of the new model.
      better: Whether the new model was written.
      reason: Why it was written or not, in one line.
    """

    before: course.Errors
    after: course.Errors
    better: bool
    reason: str


@dataclasses.dataclass(frozen=True)
class Faces:
    """The records of the corrected faces.

    Attributes:
      training: Corrected and interpolated faces to train with.
      held_out: Corrected faces to measure with.
    """

    training: Sequence[Record]
    held_out: Sequence[Record]


def refine(
    videos: Sequence[str],
    output: str,
    *,
    model: str | None = None,
    recipe: Recipe | None = None,
    overwrite: bool = False,
    cache_dir: str = "",
    report: events.Report = lambda event: None,
    stopper: Stopper | None = None,
) -> Refinement:
    """Trains a model further on corrected faces, and writes it if it is better.

    Example:
      result = refine(["clip.mp4"], "better")
      print(result.before.corrections, result.after.corrections)

    Args:
      videos: Videos with corrections, or folders with them.
      output: Directory to write.
      model: Directory of the exported model to start from; None for the shipped model.
      recipe: Settings of the training; None for the defaults.
      overwrite: Whether to replace an existing model.
      cache_dir: Directory for the rendered heads; "" for the user's cache, see
        `storage.user_cache`.
      report: Receives the progress.
      stopper: Receives signals while the model is written.

    Raises:
      EthosError: There are not enough corrections, or a file cannot be read or written.
      KeyboardInterrupt: SIGINT or SIGTERM arrived. Nothing was written.
    """
    recipe = recipe or Recipe()
    directory, card = start.check(model)
    output = os.path.normpath(os.path.expanduser(output))
    export.check_output(output, overwrite)
    paths.check_writable(output)
    corrected = footage.find(videos)
    faces = _read_faces(corrected, report)
    rendered = heads.load(
        cache_dir or user_cache.directory(),
        lambda done, total: report(events.step("heads", done, total)),
    )
    import_tensorflow()
    tuner, held_out = _prepare(directory, card, recipe, faces, rendered)
    before = course.measure(tuner, held_out)
    report(events.errors("before", **dataclasses.asdict(before)))
    relabelled = teacher.relabelled(rendered.training, predict.FacePredictor(directory))
    course.train(
        tuner,
        faces.training,
        relabelled,
        held_out,
        progress=lambda done, total: report(events.step("training", done, total)),
        evaluated=lambda errors: report(
            events.errors("now", **dataclasses.asdict(errors))
        ),
    )
    after = course.choose_best(tuner, before, held_out)
    report(events.errors("after", **dataclasses.asdict(after)))
    better, reason = course.compare(before, after)
    if better:
        report(events.step("writing", 0, 1))
        summary = {
            "corrected_faces": len(faces.training) + len(faces.held_out),
            "held_out_faces": len(faces.held_out),
            "rendered_heads": len(rendered.training),
            "before": dataclasses.asdict(before),
            "after": dataclasses.asdict(after),
        }
        ratio = course.sigma_ratio(tuner, held_out[0], card)
        _write(tuner, card, output, ratio, summary, stopper or Stopper())
    report(events.result(better, output if better else "", reason))
    return Refinement(before, after, better, reason)


def _read_faces(sources: Sequence[footage.Footage], report: events.Report) -> Faces:
    """Reads the records of the corrections, for training and held out.

    Raises:
      EthosError: There are not enough corrections, or a video cannot be read.
    """
    uses = split.split([source.faces for source in sources])
    total = sum(map(len, (*uses.training, *uses.interpolated, *uses.held_out)))
    training: list[Record] = []
    held_out: list[Record] = []
    done = interpolated = 0
    for source, learned, between, measured in zip(
        sources, uses.training, uses.interpolated, uses.held_out, strict=True
    ):
        keys = {(face.frame, face.face) for face in measured}
        used = [*learned, *between, *measured]
        for face, record in footage.read_records(source, used):
            chosen = held_out if (face.frame, face.face) in keys else training
            chosen.append(record)
            done += 1
            interpolated += face.interpolated
            report(events.step("faces", done, total))
    if not training or not held_out:
        raise EthosError(
            f"{sources[0].path}: too few corrected faces can be used; a face needs at "
            "least 20 landmarks, most of them inside the image"
        )
    own = len(training) - interpolated
    report(events.faces(own + len(held_out), own, len(held_out), interpolated))
    return Faces(training, held_out)


def _prepare(
    directory: str,
    card: dict[str, Any],
    recipe: Recipe,
    faces: Faces,
    rendered: heads.Heads,
) -> tuple[Tuner, course.HeldOut]:
    """Loads the network, and cuts the windows of the held-out faces and heads."""
    from ethos_model.refinement import tuner

    size = int(card["image_size"])
    held_out = tuple(
        batches.evaluation_batch(batches.decoded(records), size)
        for records in (faces.held_out, rendered.held_out)
    )
    network = start.load(directory, card)
    shift = float(card.get("label_shift", 0))
    return tuner.Tuner(network, recipe, label_shift=shift), (held_out[0], held_out[1])


class _Writing:
    """A model that is being written; see `stopping.Stoppable`."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def patience(self) -> float:
        """Seconds until the process is ended."""
        return 2.0

    def rescue(self) -> str:
        """Removes everything that was written."""
        shutil.rmtree(self._directory, ignore_errors=True)
        return "stopped; nothing was written"


def _write(
    tuner: Tuner,
    card: dict[str, Any],
    output: str,
    ratio: float,
    summary: dict[str, Any],
    stopper: Stopper,
) -> None:
    """Writes the model with the current weights."""
    from ethos_model.refinement import writing

    parent = os.path.dirname(os.path.abspath(output))
    os.makedirs(parent, exist_ok=True)
    name = os.path.basename(output)
    directory = tempfile.mkdtemp(prefix=f"{name}{files.TEMPORARY}", dir=parent)
    try:
        with stopper.deferred(_Writing(directory)):
            written = writing.write(
                directory,
                tuner.model,
                card,
                tuner.recipe,
                name=name,
                sigma_ratio=ratio,
                summary=summary,
            )
        if stopper.requested:
            stopper.raise_requested()
        with files.replacing(output) as temporary:
            os.rename(written, temporary)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("ethos-refine", __doc__)
    options.add_flags(result, RefineOptions)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. The exit status is 1 if the new model is not better."""
    chosen = options.from_flags(RefineOptions, parser().parse_args(argv))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with Stopper(force=True) as stopper:
            result = refine(
                chosen.videos,
                chosen.output,
                model=chosen.model,
                recipe=Recipe(steps=chosen.steps, seed=chosen.seed),
                overwrite=chosen.overwrite,
                cache_dir=chosen.cache_dir,
                report=events.reporter(chosen.progress),
                stopper=stopper,
            )
    except KeyboardInterrupt as error:
        is_terminated = isinstance(error, Terminated)
        print("terminated" if is_terminated else "interrupted", file=sys.stderr)
        return 128 + signal.SIGTERM if is_terminated else INTERRUPTED
    if result.better and chosen.progress == "text":
        print(next_step.line("ethos-view", chosen.videos[0], model=chosen.output))
    return 0 if result.better else 1


if __name__ == "__main__":
    sys.exit(main())
