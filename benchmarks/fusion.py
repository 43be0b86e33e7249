"""Compares faces restored from many frames with other ways to restore them.

    python -m benchmarks.fusion                                  # rendered heads
    python -m benchmarks.fusion --corpus_dir VIDEOS              # videos with tables
    python -m benchmarks.fusion --picture docs/images/fusion.png

Clean clips are filmed by bad cameras. The landmark network reads each frame, and the
frames up to the last one are merged. The result is compared with the clean frame inside
the face: PSNR and SSIM of the brightness after the best gain and offset. "past and
future" is the frame in the middle of the clip, with all frames. Landmarks are those
that the network finds in the restored image. Their distance to those in the clean image
is in % of the face size. Flicker is the mean second difference of the brightness over
the last five frames, divided by that of the clean clip.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import cv2
import numpy as np

from benchmarks import measure, pictures
from benchmarks.fusion_scores import (
    Score,
    aligned_images,
    face_pixels,
    matched,
    score,
)
from ethos_data import progress, topology
from ethos_data.errors import cli
from ethos_data.heads.synthesize import synthesize
from ethos_data.options import from_flags, option
from ethos_model.footage.fusion.face_fusion import FaceFusion, FusedFace
from ethos_model.footage.fusion.merging import luma
from ethos_model.footage.fusion.network import FusionNetwork
from ethos_model.fusion_training import clips
from ethos_model.fusion_training.camera import Camera
from ethos_model.fusion_training.clips import LENGTH, Clip, resized_points
from ethos_model.fusion_training.samples import in_window
from ethos_model.predict import Face, FacePredictor
from gui.drawing.text import put_text

FACE_SIZE: Final = 120.0
"""Face size in the clean clips, in pixels."""

CONDITIONS: Final = {
    "clean": Camera(),
    "4x smaller": Camera(shrink=4, noise=4),
    "0.08 of the light": Camera(light=0.08),
    "motion blur": Camera(motion=20),
    "noise 30": Camera(noise=30),
    "H.264 crf 40": Camera(crf=40),
    "H.264 crf 40, ultrafast": Camera(crf=40, preset="ultrafast"),
    "all": Camera(motion=10, shrink=2, light=0.3, crf=30),
}
"""The bad cameras. "all" is smaller, darker, blurred and compressed. The preset of x264
is its default, "medium", or "ultrafast", which leaves visible blocks as the encoders of
cheap cameras do."""

COUNTS: Final = (1, 4, 8, 16, 24)
"""Numbers of frames from which a face is restored."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str | None = option(
        None,
        "Corpus with clips of faces, in a format of ethos-convert; without it, heads "
        "are rendered",
        metavar="DIR",
    )
    clips_per_video: int = option(2, "Number of clips from each video", minimum=1)
    people: int = option(8, "Number of rendered people", minimum=1)
    conditions: tuple[str, ...] = option(
        tuple(CONDITIONS), "Conditions to measure", choices=tuple(CONDITIONS)
    )
    model: str | None = option(
        None, "Directory of a fusion model; the included one if it is not given"
    )
    picture: str | None = option(
        None, "PNG file for the faces of the first clip", metavar="FILE"
    )
    output: str = measure.output_option("fusion")


@dataclasses.dataclass(frozen=True)
class Filmed:
    """A clip as a bad camera recorded it.

    Attributes:
      clean: uint8 (T, H, W, 3), the clean frames.
      frames: uint8 (T, h, w, 3), the recorded frames.
      scale: Recorded pixels per clean pixel.
      faces: What the landmark network finds in the recorded frames.
    """

    clean: np.ndarray
    frames: np.ndarray
    scale: float
    faces: list[Face]

    def clean_window(self, index: int, size: int) -> np.ndarray:
        """Returns the clean frame in the window of a face, float32 (size, size, 3)."""
        window = self.faces[index].window
        return in_window(self.clean[index], window, self.scale, size)


def read_clips(chosen: Options) -> list[Clip]:
    """Reads or renders clips with faces of `FACE_SIZE`."""
    if chosen.corpus_dir:
        (found,) = clips.read(
            [chosen.corpus_dir], clips_per_video=chosen.clips_per_video
        )
    else:
        with tempfile.TemporaryDirectory() as directory:
            synthesize(
                directory,
                num_people=chosen.people,
                videos_per_person=1,
                frames_per_video=LENGTH,
                size=300,
                seed=4000,
            )
            (found,) = clips.read([directory], clips_per_video=1)
    return [resized(clip) for clip in found if len(clip.frames) == LENGTH]


def resized(clip: Clip) -> Clip:
    """Reduces or enlarges a clip until its faces have `FACE_SIZE`."""
    factor = FACE_SIZE / clip.face_size
    shape = (round(clip.frames.shape[2] * factor), round(clip.frames.shape[1] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    frames = np.stack([cv2.resize(f, shape, interpolation=method) for f in clip.frames])
    return Clip(clip.person, frames, resized_points(clip.landmarks, factor))


def film(clip: Clip, camera: Camera, predictor: FacePredictor, seed: int) -> Filmed:
    """Films a clip and reads the landmarks as a tracker would."""
    frames = camera.film(clip.frames, np.random.default_rng(seed))
    scale = 1 / camera.shrink
    box = topology.face_box(resized_points(clip.landmarks[0], scale))
    faces = []
    for frame in frames:
        # Each box is that of the landmarks in the frame before.
        (face,) = predictor.predict(frame, [box])
        (face,) = predictor.predict(frame, [topology.face_box(face.landmarks)])
        faces.append(face)
        box = topology.face_box(face.landmarks)
    return Filmed(clip.frames, frames, scale, faces)


def restored_images(
    filmed: Filmed, network: FusionNetwork, timing: dict[str, list[float]]
) -> Iterator[tuple[str, int, np.ndarray, FusedFace | None]]:
    """Yields the name of a method, the frame that it shows, its image and the result.

    Args:
      filmed: The clip.
      network: The fusion network.
      timing: Receives the processor time of `add` and `result` in ms.
    """
    last = len(filmed.frames) - 1
    face = filmed.faces[last]
    size = 224
    yield "degraded frame", last, _frame(filmed, last, size), None
    single = cv2.resize(face.restored, (size, size))
    yield "restored from one frame", last, np.repeat(single[..., None], 3, 2), None
    aligned = aligned_images(filmed.frames, filmed.faces, last, size)
    yield "mean of aligned frames", last, aligned.mean(axis=0), None
    yield "fastNlMeansDenoisingMulti", last, _non_local_means(aligned), None
    for count in COUNTS:
        fusion = FaceFusion(size, network=network)
        for index in range(last + 1 - count, last + 1):
            _timed(timing, "add", fusion.add, filmed.frames[index], filmed.faces[index])
        if count == max(COUNTS):
            inputs = fusion.inputs(face)
            yield "burst accumulation", last, inputs[..., 6:9], None
        fused = _timed(timing, "result", fusion.result, face)
        yield _name(count), last, fused.image / np.float32(255), fused
    middle = last // 2
    fused = fusion.result(filmed.faces[middle])
    image = fused.image / np.float32(255)
    yield "fused, past and future", middle, image, fused


def _name(count: int) -> str:
    return f"fused, {count} frame{'s' if count > 1 else ''}"


def _frame(filmed: Filmed, index: int, size: int) -> np.ndarray:
    alone = FaceFusion(size)
    alone.add(filmed.frames[index], filmed.faces[index])
    return alone.inputs(filmed.faces[index])[..., :3]


def _non_local_means(aligned: np.ndarray) -> np.ndarray:
    """OpenCV's denoising of the last 7 aligned frames; it shows the fourth of them."""
    levels = [np.clip(255 * a, 0, 255).astype(np.uint8) for a in aligned[-7:]]
    strength = 10
    shown = cv2.fastNlMeansDenoisingColoredMulti(levels, 3, 7, None, strength, strength)
    return shown.astype(np.float32) / 255


def flicker(filmed: Filmed, network: FusionNetwork) -> tuple[float, float]:
    """Returns the flicker of the degraded frames and of the fused faces."""
    size, shown = 224, 5
    fusion = FaceFusion(size, network=network)
    series: list[list[np.ndarray]] = [[], [], []]
    first = len(filmed.frames) - shown
    for index, frame in enumerate(filmed.frames):
        fusion.add(frame, filmed.faces[index])
        if index >= first:
            clean = filmed.clean_window(index, size)
            inside = face_pixels(filmed.faces[index], size)
            fused = fusion.result(filmed.faces[index]).image / np.float32(255)
            degraded = _frame(filmed, index, size)
            series[0].append(luma(clean))
            for images, image in zip(series[1:], (degraded, fused), strict=True):
                images.append(matched(luma(image), series[0][-1], inside))
    middle = (slice(size // 4, -size // 4),) * 2
    clean, degraded, fused = (
        float(np.abs(np.diff(np.stack(images), n=2, axis=0)[:, *middle]).mean())
        for images in series
    )
    return degraded / clean, fused / clean


def _timed(timing: dict[str, list[float]], name: str, f: Callable, *args: Any) -> Any:
    began = time.process_time()
    result = f(*args)
    timing[name].append(1e3 * (time.process_time() - began))
    return result


def run(chosen: Options, predictor: FacePredictor) -> tuple[dict, list[np.ndarray]]:
    """Measures all conditions.

    Returns:
      The scores by condition and method, and rows of pictures of the first clip.
    """
    network = FusionNetwork(chosen.model) if chosen.model else FusionNetwork.shipped()
    scores: dict[tuple[str, str], list[Score]] = collections.defaultdict(list)
    timing: dict[str, list[float]] = collections.defaultdict(list)
    flickers: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)
    rows: list[np.ndarray] = []
    found = read_clips(chosen)
    with progress.bar(len(found) * len(chosen.conditions), "clips") as bar:
        for number, clip in enumerate(found):
            for name in chosen.conditions:
                filmed = film(clip, CONDITIONS[name], predictor, number)
                tiles = {}
                for method, index, image, fused in restored_images(
                    filmed, network, timing
                ):
                    clean = filmed.clean_window(index, len(image))
                    scores[name, method].append(
                        score(image, clean, filmed.faces[index], predictor, fused)
                    )
                    tiles[method] = (image, clean)
                flickers[name].append(flicker(filmed, network))
                if number == 0 and chosen.picture:
                    rows.append(_row(name, tiles))
                bar.update()
    result = {"scores": scores, "timing": timing, "flicker": flickers}
    return result | {"clips": len(found)}, rows


SHOWN: Final = ("degraded frame", "restored from one frame", "fused, 24 frames")


def _row(name: str, tiles: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    clean = tiles[SHOWN[-1]][1]
    images = [tiles[method][0] for method in SHOWN] + [clean]
    middle = slice(56, 168)
    bright = [
        i * (clean[middle, middle].mean() / i[middle, middle].mean()) for i in images
    ]
    row = np.hstack([np.clip(255 * image, 0, 255).astype(np.uint8) for image in bright])
    put_text(row, name, (6, 18))
    return row


def figures(scores: dict[tuple[str, str], list[Score]]) -> dict[str, dict[str, Any]]:
    """Returns the table: a row for each method, PSNR and SSIM for each condition."""
    table: dict[str, dict[str, Any]] = collections.defaultdict(dict)
    for (condition, method), values in scores.items():
        row = table[method]
        row[f"{condition}, dB"] = round(float(np.mean([v.psnr for v in values])), 2)
        row[f"{condition}, SSIM"] = round(float(np.mean([v.ssim for v in values])), 3)
    return dict(table)


def details(
    scores: dict[tuple[str, str], list[Score]],
    flickers: dict[str, list[tuple[float, float]]],
) -> dict[str, dict[str, Any]]:
    """Returns further figures of the fused faces for each condition."""
    table = {}
    fused = _name(max(COUNTS))
    for condition in dict.fromkeys(condition for condition, _ in scores):
        before = [v.psnr for v in scores[condition, "degraded frame"]]
        after = scores[condition, fused]
        gains = [v.psnr - b for v, b in zip(after, before, strict=True)]
        flicker_before, flicker_after = np.mean(flickers[condition], axis=0)
        table[condition] = {
            "gain over the frame, dB": round(float(np.mean(gains)), 2),
            "smallest gain, dB": round(float(np.min(gains)), 2),
            "errors within sigma %": round(
                float(np.mean([v.within for v in after])), 1
            ),
            "landmarks in the frame %": round(
                float(np.mean([v.nme for v in scores[condition, "degraded frame"]])), 2
            ),
            "landmarks in the fused image %": round(
                float(np.mean([v.nme for v in after])), 2
            ),
            "flicker of the frames": round(float(flicker_before), 2),
            "flicker of the fused images": round(float(flicker_after), 2),
        }
    return table


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = from_flags(Options, parser().parse_args(argv))
    cv2.setNumThreads(1)
    result, rows = run(chosen, FacePredictor())
    scores, timing = result["scores"], result["timing"]
    if chosen.picture:
        pictures.write_png(chosen.picture, np.vstack(rows))
    time_text = ", ".join(f"{k} {np.median(v):.1f} ms" for k, v in timing.items())
    source = "clips of --corpus_dir" if chosen.corpus_dir else "rendered clips"
    table = figures(scores)
    fused = {name: row for name, row in table.items() if name.startswith("fused")}
    others = {name: row for name, row in table.items() if name not in fused}
    measure.save(
        "fusion",
        chosen,
        what="PSNR and SSIM of the brightness inside the face against the clean frame, "
        f"on {result['clips']} {source}. Median processor time per frame: {time_text}.",
        figures=fused,
        baseline=others,
    )
    measure.save(
        "fusion",
        dataclasses.replace(
            chosen, output=chosen.output.replace(".json", "_details.json")
        ),
        what=f"Faces fused from {max(COUNTS)} frames, on the same {source}.",
        figures=details(scores, result["flicker"]),
        baseline={},
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    return measure.make_parser("fusion", __doc__, Options)


if __name__ == "__main__":
    sys.exit(main())
