"""The whole chain on whole frames: a detector finds the face, the model its landmarks.

    python -m benchmarks.whole_frames --corpus_dir CORPUS --data_dir DATA --model MODEL
        [--split test] [--detector mtcnn] [--limit 200]

`ethos-evaluate` cuts windows from the true landmarks and degrades the stored crop. This
benchmark starts from the corpus' own frames: it degrades each as a whole, then predicts
with the box of the true landmarks and with that of a detector which sees the degraded
frame too. The first shows that a stored crop stands for its frame; the second is what a
viewer gets. Frames are those of a split of the converted corpus, so that people are
unseen; where a frame shows several faces, the detection that overlaps most counts.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import zlib
from collections.abc import Sequence

import numpy as np

from ethos_data import topology
from ethos_data.corpora import npz_video
from ethos_data.degrade import source
from ethos_data.errors import cli
from ethos_model import metrics
from ethos_model.evaluation import samples
from ethos_model.evaluation.bootstrap import mean_interval
from ethos_model.footage import finder
from ethos_model.predict import FacePredictor


def found_box(
    detector: finder.Detector, frame: np.ndarray, true: np.ndarray
) -> np.ndarray | None:
    """The detection that overlaps the true face box most; None below 0.3."""
    boxes = [one.box for one in detector.detect(frame)]
    best = max(boxes, key=lambda box: topology.iou(box, true), default=None)
    return best if best is not None and topology.iou(best, true) > 0.3 else None


def run(
    corpus_dir: str,
    data_dir: str,
    model: str | None,
    *,
    split: str = "test",
    detector: str = "mtcnn",
    limit: int | None = None,
) -> list[str]:
    """Measures, and returns the lines of a table."""
    paths = {pathlib.Path(p).stem: p for p in npz_video.list_videos(corpus_dir)}
    predictor = FacePredictor(model)
    detect = finder.make_detector(detector)
    conditions = {"clean": lambda frame, seed: frame} | source.CONDITIONS
    errors = {name: np.zeros((0, 2)) for name in conditions}
    people = []
    for sample in samples.read_samples(data_dir, split, limit=limit):
        video = npz_video.read_video(paths[sample.video_id])
        frame, true = video.frames[sample.frame], video.landmarks[sample.frame]
        box = topology.face_box(true)
        people.append(sample.person_id)
        seed = zlib.crc32(f"{sample.video_id}/{sample.frame}".encode())
        for name, degrade in conditions.items():
            worse = degrade(frame, seed)
            boxes = [box, found_box(detect, worse, box)]
            row = [
                np.nan
                if one is None
                else float(
                    metrics.nme_box(predictor.predict(worse, [one])[0].landmarks, true)
                )
                for one in boxes
            ]
            errors[name] = np.vstack([errors[name], row])
    shown = pathlib.Path(detector).stem
    lines = [f"{'NME_box in %':<14}{'true box':>24}{shown:>26}{'found':>9}"]
    for name, values in errors.items():
        cells = []
        for column in values.T:
            low, high = mean_interval(column, people)
            cells.append(f"{np.nanmean(column):.2f} ({low:.2f} to {high:.2f})")
        found = 100 * np.isfinite(values[:, 1]).mean()
        lines.append(f"{name:<14}{cells[0]:>24}{cells[1]:>26}{found:>7.1f} %")
    lines.append(f"{len(people)} frames of {len(set(people))} people, split {split}")
    return lines


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Parses the flags and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus_dir", required=True, help="folder of npz videos")
    parser.add_argument("--data_dir", required=True, help="the same corpus, converted")
    parser.add_argument("--model", default=None, help="none = the shipped one")
    parser.add_argument("--split", default="test")
    parser.add_argument("--detector", default="mtcnn", help="mtcnn or a YuNet file")
    parser.add_argument("--limit", type=int, default=None, help="frames, at most")
    flags = parser.parse_args(argv)
    lines = run(
        flags.corpus_dir,
        flags.data_dir,
        flags.model,
        split=flags.split,
        detector=flags.detector,
        limit=flags.limit,
    )
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
