"""Runs the whole workflow, from a corpus to a video with landmarks.

    ethos-demo                                   # renders a corpus of heads
    ethos-demo --corpus_dir youtube_faces --backbone_weights imagenet \\
        --learning_rate 1e-3

Converts the corpus, trains a network, exports it, evaluates it on clean images and on
three degradations next to a baseline (the mean face), annotates a video and draws a
picture of results. Each step calls the Python function of a command. Run the same
command again to continue after an interruption.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ethos_data import next_step, progress
from ethos_data.errors import EthosError, cli
from ethos_data.options import (
    add_flags,
    check,
    from_flags,
    load_json,
    make_parser,
    option,
    to_json,
)
from ethos_data.storage import files
from pipelines import paths, showcase

if TYPE_CHECKING:
    from ethos_model.training.config import TrainConfig

_NUM_STEPS: Final = 7
_NUM_SPLITS: Final = 3

_SETTINGS: Final = "demo.json"
"""Name of the file in the output directory with the options of the demo."""

_MAY_CHANGE: Final = ("output_dir", "video", "epochs")
"""Options that may differ when a demo continues."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the demo does. Each field is a flag; its help text documents it."""

    output_dir: str = option(
        "demo_output",
        "Directory for everything that the demo writes",
        group="data",
        metavar="DIR",
        local=True,
    )
    corpus_dir: str | None = option(
        None,
        "Directory of npz videos (default: render a corpus)",
        group="data",
        metavar="DIR",
        local=True,
    )
    video: str | None = option(
        None,
        "Video to annotate (default: a video of a person who is not in the training "
        "data)",
        group="data",
        metavar="FILE",
    )
    num_people: int = option(
        60,
        "Number of people in the rendered corpus",
        group="data",
        minimum=_NUM_SPLITS,
    )
    image_size: int = option(
        96, "Side of the network's input, in pixels", group="training"
    )
    alpha: float = option(0.35, "Width multiplier of MobileNetV2", group="training")
    backbone_weights: str = option(
        "none",
        "Initial weights of the backbone: none, imagenet (downloaded) or the path of "
        "an .h5 file",
        group="training",
    )
    batch_size: int = option(16, "Number of images in a step", group="training")
    epochs: int = option(25, "Number of epochs", group="training")
    steps_per_epoch: int = option(100, "Number of steps in an epoch", group="training")
    learning_rate: float = option(
        2e-3,
        "Maximum learning rate; use 1e-3 with --backbone_weights imagenet",
        group="training",
    )
    seed: int = option(0, "Random seed", group="training", minimum=0)

    def path(self, name: str) -> str:
        """Path of a file or directory in the output directory."""
        return os.path.join(self.output_dir, name)

    def train_config(self) -> TrainConfig:
        """The configuration of the training run."""
        from ethos_model.training.config import TrainConfig

        return TrainConfig(
            data_dir=self.path("data"),
            workdir=self.path("run"),
            image_size=self.image_size,
            alpha=self.alpha,
            backbone_weights=self.backbone_weights,
            batch_size=self.batch_size,
            epochs=self.epochs,
            steps_per_epoch=self.steps_per_epoch,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )


def check_options(options: DemoOptions) -> None:
    """Checks all paths and values, before anything that takes time.

    Raises:
      EthosError: A value is invalid, a file is missing, or the output directory belongs
        to a demo with other options.
    """
    from ethos_data.corpora import formats
    from ethos_model.footage import reader
    from ethos_model.training import preflight
    from pipelines.conversion import corpus
    from pipelines.conversion.options import ConversionOptions

    check(options)
    config = options.train_config()
    config.check()
    preflight.check_weights(config)
    if options.corpus_dir is not None:
        paths.check_directory(options.corpus_dir)
        corpus.find(options.corpus_dir, ConversionOptions(corpus_format=formats.NPZ))
    if options.video is not None:
        reader.open_video(options.video).close()
    paths.check_writable(options.output_dir)
    if not os.path.exists(options.path(_SETTINGS)):
        return
    earlier = load_json(DemoOptions, options.path(_SETTINGS))
    differences = [
        f"{name} {earlier[name]} instead of {value}"
        for name, value in dataclasses.asdict(options).items()
        if name not in _MAY_CHANGE and name in earlier and earlier[name] != value
    ]
    if differences:
        raise EthosError(
            f"{options.output_dir}: belongs to a demo with {', '.join(differences)}; "
            "choose another --output_dir"
        )


def demo(options: DemoOptions) -> Any:
    """Runs the whole workflow.

    Returns:
      The `ethos_model.evaluate.Report` of the exported model.

    Raises:
      EthosError: An option is invalid, or a step failed.
    """
    check_options(options)
    files.write(options.path(_SETTINGS), iter([to_json(options).encode()]))
    steps = _Steps(_NUM_STEPS)
    with steps("corpus"):
        corpus_dir = options.corpus_dir or _render_corpus(options)
        print(f"  {corpus_dir}")
    with steps("conversion to TFRecord shards"):
        _convert(corpus_dir, options)
    with steps("training"):
        _train(options)
    with steps("export"):
        _export(options)
    with steps("evaluation on people who are not in the training data"):
        report = _evaluate(options)
    with steps("video"):
        video, annotated = _annotate(corpus_dir, options)
    with steps("picture"):
        picture = options.path("results.png")
        showcase.draw(corpus_dir, options.path("data"), options.path("model"), picture)
    from ethos_model.evaluation.report import tables

    print(f"\n{tables.table(report)}\n")
    print(f"picture  {picture}")
    print(f"video    {annotated}")
    print(f"report   {options.path('report/report.html')}")
    print(next_step.line("ethos-view", video, model=options.path("model")))
    return report


class _Steps:
    """Prints the title of each step and its duration."""

    def __init__(self, total: int) -> None:
        self._total, self._number = total, 0

    @contextlib.contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        self._number += 1
        print(f"\n[{self._number}/{self._total}] {title}", flush=True)
        start = time.monotonic()
        yield
        print(f"  {time.monotonic() - start:.0f} s", flush=True)


def _render_corpus(options: DemoOptions) -> str:
    """Renders the corpus, unless an earlier run did. Returns its directory."""
    from ethos_data.heads import synthesize

    directory = options.path("corpus")
    if not os.path.isdir(directory):
        with (
            files.replacing(directory) as temporary,
            progress.reporting("videos") as report,
        ):
            synthesize.synthesize(
                temporary,
                num_people=options.num_people,
                seed=options.seed,
                progress=report,
            )
    return directory


def _convert(corpus_dir: str, options: DemoOptions) -> None:
    from pipelines import convert

    with progress.reporting("frames") as report:
        result = convert.convert(
            corpus_dir=corpus_dir, data_dir=options.path("data"), progress=report
        )
    print("\n".join(f"  {line}" for line in convert.summary(result).splitlines()))
    if result.empty_splits is not None:
        split, reason = next(iter(result.empty_splits.reasons.items()))
        raise EthosError(
            f"{corpus_dir}: the {split} split has no frames: {reason}; the demo needs "
            f"usable videos of at least {_NUM_SPLITS} people"
        )


def _train(options: DemoOptions) -> None:
    from ethos_model.train import fit

    fit(options.train_config())


def _export(options: DemoOptions) -> None:
    from ethos_model.export import export

    export(workdir=options.path("run"), output=options.path("model"), overwrite=True)
    print(f"  {options.path('model')}")


def _evaluate(options: DemoOptions) -> Any:
    from ethos_model import evaluate

    with progress.reporting("frames") as report_progress:
        report = evaluate.evaluate(
            options.path("model"), options.path("data"), progress=report_progress
        )
    evaluate.write(report, options.path("report"))
    return report


def _annotate(corpus_dir: str, options: DemoOptions) -> tuple[str, str]:
    """Annotates a video. Returns the paths of the video and of the annotated video."""
    from ethos_model.footage import finder, tracker
    from ethos_model.predict import FacePredictor
    from gui import annotation, jobs

    video = options.video
    if video is None:
        video = options.path("video.mp4")
        if options.corpus_dir is None:
            showcase.render_video(video, options.seed)
        else:
            showcase.copy_corpus_video(video, corpus_dir, options.path("data"))
    annotated = options.path("annotated.mp4")
    predictor = FacePredictor(options.path("model"))
    tables = (options.path("landmarks.csv"),)
    result = annotation.annotate(
        jobs.AnnotationJob(video, annotated, tables),
        tracker.FaceTracker(
            predictor, finder.FaceFinder(search="fast", predictor=predictor)
        ),
    )
    print(f"  {result.with_face} of {result.frames} frames with a face")
    return video, annotated


def parser() -> argparse.ArgumentParser:
    """The parser of the flags of `ethos-demo`."""
    result = make_parser("ethos-demo", __doc__)
    add_flags(result, DemoOptions, groups={"data": "", "training": ""})
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ethos-demo`."""
    options = from_flags(DemoOptions, parser().parse_args(argv))
    start = time.monotonic()
    demo(options)
    print(f"\nfinished in {(time.monotonic() - start) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
