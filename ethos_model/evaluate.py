"""Measures the accuracy of an exported model on a converted data set.

    ethos-evaluate --data_dir DATA --model MODEL --output_dir REPORT

The model is evaluated on clean frames, under fixed degradations of the source frame,
and, at severities 1 to 5, under the degradations of the training mix, under others that
training never uses, and with inaccurate face boxes. The report also gives the error by
landmark, face size, pose and image quality. It compares the model with the mean face
and, with --baseline_model, with another model. The command prints a table and writes:

    report.html     page with plots and the worst frames
    report.json     all numbers
    report.md       table for a README
    card.json       numbers for a model card (ethos-export --metrics)
    conditions.csv  one row per condition
    points.csv      one row per landmark
    frames.csv      one row per clean frame

report.html shows faces of the corpus. Protect it like the corpus.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ethos_data import crop, dataset_files, next_step, options, progress
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_data.storage import files
from ethos_model import predict
from ethos_model.evaluation import samples
from ethos_model.evaluation.conditions import select

if TYPE_CHECKING:
    import numpy as np

    from ethos_model.evaluation.gather import EvaluatedModel
    from ethos_model.evaluation.results import Report

SOURCE: Final = ("source",)
"""Kinds of condition for a quick evaluation: clean and the source degradations."""

EVERYTHING: Final = ("source", "trained", "unseen", "box")
"""All kinds of condition."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to evaluate. Each field is a flag; its help text documents it."""

    data_dir: str = options.required(
        "Directory of the data set that ethos-convert wrote",
        group="data",
        metavar="DIR",
    )
    split: str = options.option("test", "Split of the data set", group="data")
    limit: int | None = options.option(
        None,
        "Maximum number of frames, evenly spread over the split; all frames if it is "
        "not given",
        group="data",
        minimum=1,
    )
    label_shift: float | None = options.option(
        None,
        "Offset of the labels of this data set to the right of the face, in % of the "
        "face size; 0 for rendered heads. If it is not given, the labels are assumed "
        "to have the same offset as the labels that the model was trained on",
        group="data",
    )
    model: str | None = options.option(
        None,
        "Directory of the model that ethos-export wrote; the model that is part of "
        "ETHOS if it is not given",
        group="model",
        metavar="DIR",
        local=True,
    )
    baseline_model: str | None = options.option(
        None,
        "Directory of another exported model to compare with, for example a model that "
        "was trained on clean images only",
        group="model",
        metavar="DIR",
        local=True,
    )
    backend: str = options.option(
        "tensorflow",
        "File of the model to evaluate: the SavedModel or model.tflite",
        group="model",
        choices=[name for name in predict.BACKENDS if name != "auto"],
    )
    conditions: tuple[str, ...] = options.option(
        EVERYTHING,
        "Conditions to evaluate besides clean frames: kinds (source, trained, unseen, "
        "box), names of degradations (motion_blur) or NAME-SEVERITY (motion_blur-3)",
        group="evaluation",
        metavar="NAME",
    )
    seed: int = options.option(
        0, "Random seed of the degradations", group="evaluation", minimum=0
    )
    output_dir: str | None = options.option(
        None,
        "Directory to write the report to; only the table is printed if it is not "
        "given",
        group="output",
        metavar="DIR",
    )


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

    Example:
      report = evaluate("runs/first/model", "data", limit=100)
      print(report.condition("clean").nme_box)

    Args:
      model_dir: Directory that `ethos-export` wrote. None uses the model that is part
        of ETHOS.
      data_dir: Directory that `ethos-convert` wrote.
      split: "train", "validation" or "test".
      conditions: Kinds, names or keys of conditions, see `conditions.select`.
      limit: Maximum number of frames, evenly spread over the split; None for all.
      label_shift: Offset of the labels of the data set to the right of the face, in %
        of the face size. None assumes the offset of the model's training labels.
      baseline_model: Directory of another exported model to compare with.
      backend: "tensorflow" for the SavedModel, "litert" for model.tflite.
      seed: Random seed of all degradations.
      progress: Function that is called with the number of frames that are done and the
        number of all frames.

    Raises:
      EthosError: An argument names something that does not exist or is damaged.
    """
    selected = select(conditions)
    total = samples.count(data_dir, split, limit=limit)
    import_tensorflow()
    from ethos_model.evaluation import baseline, gather, summary

    model = load(model_dir, backend, label_shift)
    other = None
    if baseline_model is not None:
        other = load(baseline_model, backend, label_shift)
    with dataset_files.locate_damage(data_dir):
        mean = baseline.mean_face(data_dir, split)
        measurements = gather.gather(
            model,
            samples.read_samples(data_dir, split, limit=limit),
            selected,
            mean,
            total=total,
            baseline=other,
            seed=seed,
            progress=progress,
        )
    return summary.report(
        measurements,
        mean,
        model,
        data_dir=os.fspath(data_dir),
        split=split,
        baseline=other,
    )


def load(
    model_dir: str | os.PathLike[str] | None, backend: str, label_shift: float | None
) -> EvaluatedModel:
    """Loads an exported model whose predictions agree with the labels of a data set.

    Args:
      model_dir: See `evaluate`.
      backend: See `evaluate`.
      label_shift: See `evaluate`.

    Raises:
      EthosError: The model does not exist, is damaged or needs another version.
    """
    from ethos_model.evaluation.gather import EvaluatedModel

    directory, card = _read_card(model_dir)
    _, network = predict.load_network(directory, backend)
    size = int(card["image_size"])
    trained_shift = float(card.get("label_shift", 0))
    excess = 0.0 if label_shift is None else trained_shift - label_shift

    def predict_batch(images: np.ndarray) -> dict[str, np.ndarray]:
        return predict.without_label_shift(network(images), excess)

    depth_size = int(card.get("depth_size", size))
    return EvaluatedModel(directory, predict_batch, size, depth_size)


def _read_card(
    model_dir: str | os.PathLike[str] | None,
) -> tuple[str, dict[str, Any]]:
    """Directory and card of an exported model that this version can evaluate."""
    directory = predict.find(None if model_dir is None else os.fspath(model_dir))
    card = predict.read_card(directory)
    context = card["network_context"]
    if context != crop.NETWORK_CONTEXT:
        raise EthosError(
            f"{directory}: the model needs windows of {context} times the face box; "
            f"this version of ETHOS evaluates {crop.NETWORK_CONTEXT} times. Export the "
            "model again with this version"
        )
    return directory, card


def write(report: Report, output_dir: str | os.PathLike[str]) -> list[str]:
    """Writes a report as HTML, JSON, CSV and Markdown.

    Args:
      report: Result of `evaluate`.
      output_dir: Directory to write to, on this machine or in an object store. It is
        created if it does not exist.

    Returns:
      Paths of the files.
    """
    from ethos_model.evaluation.report import page, tables

    contents = {
        "report.html": page.page(report),
        "report.json": report.to_json(),
        "report.md": tables.markdown(report),
        "card.json": report.card_json(),
        "conditions.csv": tables.conditions_csv(report),
        "points.csv": tables.points_csv(report),
        "frames.csv": tables.frames_csv(report),
    }
    paths = []
    for name, text in contents.items():
        path = files.join(files.resolve(output_dir), name)
        files.write(path, iter([text.encode()]))
        paths.append(path)
    return paths


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("ethos-evaluate", __doc__)
    options.add_flags(result, EvaluateOptions)
    return result


def _check(chosen: EvaluateOptions) -> None:
    """Checks everything that can be checked before TensorFlow is imported.

    Raises:
      EthosError: A condition, a model or the data set does not exist.
      OSError: The report cannot be written.
    """
    select(chosen.conditions)
    _read_card(chosen.model)
    if chosen.baseline_model is not None:
        _read_card(chosen.baseline_model)
    samples.count(chosen.data_dir, chosen.split)
    if chosen.output_dir is None:
        return
    files.check_reachable(files.resolve(chosen.output_dir))
    if files.is_local(chosen.output_dir):
        os.makedirs(chosen.output_dir, exist_ok=True)
        if not os.access(chosen.output_dir, os.W_OK):
            raise EthosError(f"{chosen.output_dir}: no permission to write here")


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(EvaluateOptions, parser().parse_args(argv))
    _check(chosen)
    from ethos_model.evaluation.report import tables

    with progress.reporting("frames") as show:
        report = evaluate(
            chosen.model,
            chosen.data_dir,
            chosen.split,
            conditions=chosen.conditions,
            limit=chosen.limit,
            label_shift=chosen.label_shift,
            baseline_model=chosen.baseline_model,
            backend=chosen.backend,
            seed=chosen.seed,
            progress=show,
        )
    print(tables.table(report))
    if chosen.output_dir is None:
        words = sys.argv[1:] if argv is None else argv
        output_dir = next_step.unused_path("report", chosen.model)
        print("\nThe same command with --output_dir writes plots and images.")
        print(next_step.line("ethos-evaluate", *words, output_dir=output_dir))
        return 0
    paths = write(report, chosen.output_dir)
    print(f"\nwrote {', '.join(map(os.path.basename, paths))} to {chosen.output_dir}")
    print(f"open {paths[0]} in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
