"""Measures the accuracy of an exported model.

    ethos-evaluate --data_dir DATA --model MODEL --output_dir REPORT
    ethos-evaluate --data_dir 300W --model MODEL --output_dir REPORT --protocol 300w

DATA is a data set that ethos-convert wrote. With --protocol, it is the directory of a
published test set, and the report contains what publications report (see below).

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

With --protocol, the command reads the original files of a published test set, without
a conversion. It prints NME, AUC and failure rate for each subset next to the published
figures of other methods, with their sources, and writes:

    protocol.json   all numbers
    protocol.md     table for a publication
    faces.csv       one row per face

The guide "Standard protocols" describes the files of each test set.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ethos_data import crop, dataset_files, next_step, options, progress
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_data.storage import files
from ethos_model import predict
from ethos_model.evaluation import samples
from ethos_model.evaluation.conditions import select
from ethos_model.evaluation.settings import (
    SOURCE,
    EvaluateOptions,
    check_combination,
)

if TYPE_CHECKING:
    import numpy as np

    from ethos_model.evaluation.gather import EvaluatedModel
    from ethos_model.evaluation.results import Report


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
    return files.write_texts(output_dir, contents)


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
    check_combination(chosen)
    select(chosen.conditions)
    _read_card(chosen.model)
    if chosen.baseline_model is not None:
        _read_card(chosen.baseline_model)
    if chosen.protocol is None:
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
    words = sys.argv[1:] if argv is None else argv
    if chosen.protocol is not None:
        return _run_protocol(chosen, words)
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
        _print_next(chosen, words, "plots and images")
        return 0
    paths = write(report, chosen.output_dir)
    print(f"\nwrote {', '.join(map(os.path.basename, paths))} to {chosen.output_dir}")
    print(f"open {paths[0]} in a browser")
    return 0


def _print_next(chosen: EvaluateOptions, words: Sequence[str], what: str) -> None:
    output_dir = next_step.unused_path("report", chosen.model)
    print(f"\nThe same command with --output_dir writes {what}.")
    print(next_step.line("ethos-evaluate", *words, output_dir=output_dir))


def _run_protocol(chosen: EvaluateOptions, words: Sequence[str]) -> int:
    """Evaluates a standard protocol, prints the report and writes it."""
    from ethos_model.evaluation.protocols import run, tables

    assert chosen.protocol is not None
    with progress.reporting("faces") as show:
        report = run.evaluate(
            chosen.protocol,
            chosen.data_dir,
            chosen.model,
            baseline_model=chosen.baseline_model,
            face_box=chosen.face_box,
            backend=chosen.backend,
            limit=chosen.limit,
            progress=show,
        )
    print(tables.table(report))
    for line in run.left_out(report):
        print(line, file=sys.stderr)
    if chosen.output_dir is None:
        _print_next(chosen, words, "the errors of each face")
        return 0
    paths = run.write(report, chosen.output_dir)
    print(f"\nwrote {', '.join(map(os.path.basename, paths))} to {chosen.output_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
