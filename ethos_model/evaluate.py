"""ethos-evaluate: how good is an exported model, under which conditions, and for whom?

    ethos-evaluate --model run/export --data_dir data --output_dir report

evaluates any exported model on any converted split: clean, under three degradations of
the source frame, under those of training at severities 1 to 5 and under others that
training never sees; by face size, pose and natural quality; point by point; beside the
mean face and, with --baseline_model, beside another model such as one trained on clean
images only. It prints a short table and writes

    report.json     every number             card.json   those for a model card
    report.md       a table to paste
    conditions.csv  a row a condition        points.csv  a row a landmark
    frames.csv      a row a clean frame      report.html one page with plots, and the
                                             worst cases with pictures

The page shows faces of the corpus: treat it as the corpus. `evaluate` does the same
from Python and returns a `Report`.
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ethos_data import crop, next_step
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_model import predict
from ethos_model.evaluation import baseline, samples, summary
from ethos_model.evaluation.conditions import select
from ethos_model.evaluation.gather import BATCH, Network, gather
from ethos_model.evaluation.report import page, tables
from ethos_model.evaluation.results import Report

SOURCE = ("source",)
"""Clean and the three degradations of the source frame: the quick look."""

EVERYTHING = ("source", "trained", "unseen", "box")


def evaluate(
    model_dir: str | os.PathLike[str] | None,
    data_dir: str | os.PathLike[str],
    split: str = "test",
    *,
    conditions: Sequence[str] = SOURCE,
    limit: int | None = None,
    label_shift: float | None = None,
    baseline_model: str | os.PathLike[str] | None = None,
    backend: str = "tensorflow",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Evaluates an exported model.

    Args:
      model_dir: what `ethos-export` wrote; None = the model that ships with ETHOS.
      data_dir: what `ethos-convert` wrote.
      split: "train", "validation" or "test".
      conditions: kinds, names or keys, see `evaluation.conditions.select`.
      limit: evaluates at most so many frames, spread over the split; None = all.
      label_shift: how far the data set's labels lie too far right, % of the face size;
        None = as far as those that the model learnt from.
      baseline_model: another exported model, to stand beside.
      backend: "tensorflow" for the SavedModel, "litert" for model.tflite.
      seed: of all degradations.
      progress: called now and then with the frames done and all frames.
    """
    import_tensorflow()
    from ethos_data import dataset_files

    chosen = select(conditions)
    total = samples.count(data_dir, split, limit=limit)
    network = load(model_dir, backend, label_shift)
    other = None
    if baseline_model is not None:
        other = load(baseline_model, backend, label_shift)
    with dataset_files.locate_damage(data_dir):
        mean = baseline.mean_face(data_dir, split)
        found = gather(
            network,
            samples.read_samples(data_dir, split, limit=limit),
            chosen,
            mean,
            total=total,
            baseline=other,
            seed=seed,
            progress=progress,
        )
    return summary.report(
        found, mean, network, data_dir=os.fspath(data_dir), split=split, baseline=other
    )


def load(
    model_dir: str | os.PathLike[str] | None, backend: str, label_shift: float | None
) -> Network:
    """An exported model that answers as the labels of the data set lie.

    Args:
      model_dir, backend, label_shift: see `evaluate`.
    """
    folder = predict.find(None if model_dir is None else os.fspath(model_dir))
    card = predict.read_card(folder)
    if card["network_context"] != crop.NETWORK_CONTEXT:
        raise EthosError(
            f"{folder}: wants windows of context {card['network_context']}, this "
            f"version of ETHOS evaluates {crop.NETWORK_CONTEXT}"
        )
    _, function = predict.load_network(folder, backend)
    size = int(card["image_size"])
    learnt = float(card.get("label_shift", 0))
    too_far = 0.0 if label_shift is None else learnt - label_shift

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        return predict.moved_left(function(images), too_far)

    return Network(folder, answer, size, int(card.get("depth_size", size)))


def write(report: Report, output_dir: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Writes a report as JSON, CSV, Markdown and one HTML page; returns the paths."""
    folder = pathlib.Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.json": report.to_json(),
        "conditions.csv": tables.conditions_csv(report),
        "points.csv": tables.points_csv(report),
        "frames.csv": tables.frames_csv(report),
        "card.json": report.card_json(),
        "report.md": tables.markdown(report),
        "report.html": page.page(report),
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ethos-evaluate",
        description="Evaluates an exported model on a converted split.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--model",
        default=None,
        help="folder that ethos-export wrote; none = the model that ships with ETHOS",
    )
    parser.add_argument(
        "--data_dir", required=True, help="folder that ethos-convert wrote"
    )
    parser.add_argument("--split", default="test", help="split to evaluate on")
    parser.add_argument(
        "--output_dir", default=None, help="where the report goes; none = print only"
    )
    parser.add_argument(
        "--limit", type=int, default=None, help="evaluate at most so many frames"
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        default=list(EVERYTHING),
        metavar="NAME",
        help="kinds (source, trained, unseen, box), names or NAME-SEVERITY",
    )
    parser.add_argument(
        "--label_shift",
        type=float,
        default=None,
        help="how far the labels of this data set lie too far right, %% of the face "
        "size, 0 for rendered heads; none = as far as those that the model learnt from",
    )
    parser.add_argument(
        "--baseline_model",
        default=None,
        help="another exported model to stand beside, e.g. one trained on clean images",
    )
    parser.add_argument(
        "--backend",
        default="tensorflow",
        choices=[name for name in predict.BACKENDS if name != "auto"],
        help="which of the model's files to evaluate: the SavedModel or model.tflite",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all degradations")
    return parser


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    flags = _parser().parse_args(argv)
    if flags.limit is not None and flags.limit < 1:
        raise EthosError(f"--limit must be at least 1, not {flags.limit}")
    if flags.seed < 0:
        raise EthosError(f"--seed must not be negative: {flags.seed}")
    if flags.output_dir is not None:  # hours later it would be late to learn of it
        os.makedirs(flags.output_dir, exist_ok=True)
    report = evaluate(
        flags.model,
        flags.data_dir,
        flags.split,
        conditions=flags.conditions,
        limit=flags.limit,
        label_shift=flags.label_shift,
        baseline_model=flags.baseline_model,
        backend=flags.backend,
        seed=flags.seed,
        progress=functools.partial(_show_progress, sys.stderr),
    )
    print(tables.table(report))
    if flags.output_dir is None:
        words = sys.argv[1:] if argv is None else argv
        output_dir = next_step.unused_path("report", flags.model)
        print(
            "\nThe report with plots and pictures:\n"
            + next_step.line("ethos-evaluate", *words, output_dir=output_dir)
        )
        return 0
    written = write(report, flags.output_dir)
    print(f"\nwrote {', '.join(path.name for path in written)} to {flags.output_dir}")
    print(f"open {written[-1]} in a browser")
    return 0


def _show_progress(stream: Any, done: int, total: int) -> None:
    """One line that is written over on a terminal, one for each tenth in a log."""
    if stream.isatty():
        stream.write(f"\r{done:,} of {total:,} frames" + "\n" * (done == total))
    elif done == total or 10 * done // total > 10 * (done - BATCH) // total:
        stream.write(f"{done:,} of {total:,} frames\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
