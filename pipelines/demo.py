"""ethos-demo: the whole way, from a corpus to landmarks over a video.

    ethos-demo                                   # renders its own corpus of heads
    ethos-demo --corpus_dir youtube_faces --backbone_weights imagenet \\
        --learning_rate 1e-3

Converts the corpus, trains on it, exports, evaluates clean and under three degradations
beside the mean face, annotates a video and draws a picture of results. Each step is the
public function behind the command of the same name. The same command again goes on
where the last one stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ethos_data import next_step
from ethos_data.errors import EthosError, cli
from pipelines import showcase


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the demo does. The fields are the flags."""

    output_dir: str = "demo_output"
    corpus_dir: str | None = None
    video: str | None = None
    num_people: int = 60
    image_size: int = 96
    alpha: float = 0.35
    backbone_weights: str = "none"
    batch_size: int = 16
    epochs: int = 25
    steps_per_epoch: int = 100
    learning_rate: float = 2e-3
    seed: int = 0

    def folder(self, name: str) -> str:
        return os.path.join(self.output_dir, name)


_HELP = {
    "output_dir": "where everything goes",
    "corpus_dir": "npz corpus to use; none = render one",
    "video": "video to annotate; none = one of a person never trained on",
    "num_people": "people to render",
    "image_size": "side of the network's input, pixels",
    "alpha": "width of MobileNetV2",
    "backbone_weights": "none, imagenet (downloaded) or the path of an .h5 file",
    "batch_size": "images a step",
    "epochs": "epochs to train",
    "steps_per_epoch": "steps of an epoch",
    "learning_rate": "the highest; 1e-3 from weights that know pictures already",
    "seed": "of everything random",
}


def demo(options: Options) -> Any:
    """Goes the whole way and returns the `ethos_model.evaluate.Report`."""
    steps = _Steps(7)
    with steps("corpus"):
        corpus_dir = options.corpus_dir or _rendered(options)
        print(f"  {corpus_dir}")
    with steps("conversion to TFRecord shards"):
        _convert(corpus_dir, options)
    with steps("training"):
        _train(options)
    with steps("export"):
        _export(options)
    with steps("evaluation on people never trained on"):
        report = _evaluate(options)
    with steps("video"):
        annotated = _annotate(corpus_dir, options)
    with steps("picture"):
        picture = options.folder("results.png")
        showcase.draw(
            corpus_dir, options.folder("data"), options.folder("model"), picture
        )
    from ethos_model.evaluation.report import tables

    print(f"\n{tables.table(report)}\n")
    print(f"picture  {picture}")
    print(f"video    {annotated}")
    print(f"report   {options.folder('report/report.html')}")
    video = options.video or options.folder("video.mp4")
    print(next_step.line("ethos-view", video, model=options.folder("model")))
    return report


class _Steps:
    """Says which step begins and how long it took."""

    def __init__(self, total: int) -> None:
        self._total, self._number = total, 0

    @contextlib.contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        self._number += 1
        print(f"\n[{self._number}/{self._total}] {title}", flush=True)
        begun = time.monotonic()
        yield
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)


def _rendered(options: Options) -> str:
    """The rendered corpus, made once."""
    from ethos_data.heads import synthesize

    folder = options.folder("corpus")
    if not os.path.isdir(folder):
        aside = f"{folder}.part"
        shutil.rmtree(aside, ignore_errors=True)
        synthesize.synthesize(
            aside,
            num_people=options.num_people,
            seed=options.seed,
            progress=_counter("videos"),
        )
        os.rename(aside, folder)
    return folder


def _convert(corpus_dir: str, options: Options) -> None:
    from pipelines import convert, progress

    result = convert.convert(
        corpus_dir=corpus_dir,
        data_dir=options.folder("data"),
        progress=progress.printer(sys.stdout),
    )
    told = convert.summary(result).splitlines()
    print("\n".join(f"  {line}" for line in told[:-1]))  # the demo goes on by itself


def _train(options: Options) -> None:
    from ethos_model.train import fit
    from ethos_model.training.config import TrainConfig

    fit(
        TrainConfig(
            data_dir=options.folder("data"),
            workdir=options.folder("run"),
            image_size=options.image_size,
            alpha=options.alpha,
            backbone_weights=options.backbone_weights,
            batch_size=options.batch_size,
            epochs=options.epochs,
            steps_per_epoch=options.steps_per_epoch,
            learning_rate=options.learning_rate,
            seed=options.seed,
        )
    )


def _export(options: Options) -> None:
    from ethos_model.export import export

    export(
        workdir=options.folder("run"), output=options.folder("model"), overwrite=True
    )
    print(f"  {options.folder('model')}")


def _evaluate(options: Options) -> Any:
    from ethos_model import evaluate

    report = evaluate.evaluate(
        options.folder("model"), options.folder("data"), progress=_counter("frames")
    )
    evaluate.write(report, options.folder("report"))
    return report


def _annotate(corpus_dir: str, options: Options) -> pathlib.Path:
    from ethos_model.footage import finder, tracker
    from ethos_model.predict import FacePredictor
    from gui import annotate

    video = options.video
    if video is None:
        video = options.folder("video.mp4")
        if options.corpus_dir is None:
            showcase.render_video(video, options.seed)
        else:
            showcase.corpus_video(video, corpus_dir, options.folder("data"))
    output = options.folder("annotated.mp4")
    result = annotate.annotate(
        annotate.Job(video, output, tables=(options.folder("landmarks.csv"),)),
        tracker.FaceTracker(
            FacePredictor(options.folder("model")), finder.make_detector()
        ),
    )
    print(f"  {result.with_face} of {result.frames} frames with a face")
    return pathlib.Path(output)


def _counter(noun: str) -> Callable[[int, int], None]:
    """A line at each tenth of the work."""
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if (tenth := 10 * done // max(total, 1)) > shown:
            shown = tenth
            print(f"  {done:,} of {total:,} {noun}", flush=True)

    return progress


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ethos-demo",
        description="The whole way, from a corpus to landmarks over a video.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for field in dataclasses.fields(Options):
        default: Any = field.default
        parser.add_argument(
            f"--{field.name}",
            default=default,
            type=str if default is None else type(default),
            help=_HELP[field.name],
        )
    return parser


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    options = Options(**vars(_parser().parse_args(argv)))
    if options.corpus_dir is not None and not os.path.isdir(options.corpus_dir):
        raise EthosError(f"{options.corpus_dir}: no such folder")
    begun = time.monotonic()
    demo(options)
    print(f"\nall in {(time.monotonic() - begun) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
