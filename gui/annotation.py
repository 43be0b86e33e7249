"""Annotates one video: reads it, tracks its faces, draws and writes the result.

Reading, tracking, drawing and writing run in separate threads. Each of them processes
the frames in order, so the outputs do not depend on the timing of the threads.

A video file is read twice at the same time. The first reading tracks the faces and is
some hundred frames ahead. The second one draws and writes, when the faces have been
refined with the frames after them (`ethos_model.footage.refining`). Faces are hidden
after the first reading has ended, because a face is hidden before it is first found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ethos_data.errors import EthosError
from ethos_model.footage.finder import Detection, Finder
from ethos_model.footage.fusion.people import FusedPeople, Portraits
from ethos_model.footage.hiding.cover import Cover, hide
from ethos_model.footage.hiding.plan import HidingPlan, plan_hiding
from ethos_model.footage.reader import Damage, Source
from ethos_model.footage.refining.refine import BLOCK, refine
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import FrameFaces
from gui import hidden
from gui.annotate_options import SMALLEST_HEIGHT, AnnotateOptions
from gui.degradation import VideoDegradation
from gui.drawing import compose
from gui.drawing.overlay import (
    resized,
)
from gui.jobs import AnnotationJob
from gui.outputs import Outputs
from gui.pipeline import Stage
from gui.stages import (
    Item,
    Reading,
    first_pass,
    followed,
    looked_up,
    tracked,
    with_fusion,
    with_measures,
    with_outlines,
)

Refine = Callable[[Iterable[FrameFaces]], Iterator[FrameFaces]]


@dataclasses.dataclass(frozen=True)
class AnnotateResult:
    """What a video contained.

    Attributes:
      frames: Number of frames that were read.
      with_face: Number of frames with at least one face.
      seconds: Time that the annotation took, in seconds.
      damage: What could not be read of the video; None if everything was read.
      doubts: Frames in which a face may not be hidden, as sentences.
    """

    frames: int
    with_face: int
    seconds: float
    damage: Damage | None = None
    doubts: tuple[str, ...] = ()


def annotate(
    job: AnnotationJob,
    tracker: FaceTracker,
    options: AnnotateOptions | None = None,
    *,
    degradation: VideoDegradation | None = None,
    fields: bool = False,
    finder: Finder | None = None,
    model: str = "",
    show_progress: bool = True,
) -> AnnotateResult:
    """Annotates one video.

    A camera or network stream is recorded until its end or until Ctrl-C. Its faces are
    not refined.

    Args:
      job: The video and the files to write.
      tracker: Tracker for the faces. It is reset first.
      options: What to draw and how to save it.
      degradation: Degradation that is applied to each frame before it is tracked.
      fields: Process both fields of each frame of interlaced video.
      finder: Searches all frames for faces to hide. `options.hide_faces` requires it.
      model: Name of the model, for the tables.
      show_progress: Whether to show a progress bar on stderr.

    Raises:
      EthosError: The video cannot be read, an output cannot be written, or faces
        cannot be hidden.
    """
    options = options or AnnotateOptions()
    if options.hide_faces and job.directories:
        first = next(iter(job.directories))
        raise EthosError(f"{first}: would show the hidden faces; leave it out")
    if options.hide_faces and options.restore:
        raise EthosError("--restore would show the hidden faces; leave it out")
    read = Reading(job.video, degradation or VideoDegradation(), fields, show_progress)
    started = time.monotonic()
    tracker.reset()
    count = with_face = 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(read.open())
        kind = options.hide_faces
        if kind:
            _check_can_hide(source)
        outputs = stack.enter_context(
            Outputs(
                job,
                source.info,
                model=model,
                mesh_format=options.mesh_format,
                csv_format=options.csv_format,
                comment=hidden.note(job.video, kind) if kind else "",
            )
        )
        stack.enter_context(read.stopped_by_ctrl_c(source))
        # A single image has no frames before and after it.
        is_refined = options.refine and not (
            source.info.live or source.info.frame_count == 1
        )
        # Stills show all faces, the column beside the video only the first.
        needs_images = options.beside and outputs.has_video and not options.hide_faces
        shown = None if outputs.has_stills else int(bool(needs_images))
        tracks: Iterable[FrameFaces] | None = None
        plan: HidingPlan | None = None
        if options.hide_faces:
            tracks, plan = _planned(read, tracker, finder, is_refined)
        elif is_refined:
            tracks = stack.enter_context(_read_ahead(read, tracker, shown))
        frames = stack.enter_context(Stage(read.frames(source)))
        if tracks is None:
            annotated = tracked(frames, tracker)
        else:
            annotated = looked_up(frames, tracks, tracker.predictor, shown)
        if outputs.needs_measures or (outputs.has_pictures and options.draws_measures):
            annotated = with_measures(annotated)
        people = FusedPeople(network=options.fusion_network)
        portraits = Portraits(people) if outputs.has_portraits else None
        if options.restore or portraits is not None:
            annotated = with_fusion(
                annotated, people, portraits, restore=options.restore
            )
        annotated = with_outlines(annotated, options.outline)
        items = stack.enter_context(Stage(annotated))
        if plan is None:
            drawn = _drawn(items, options, source, outputs)
        else:
            drawn = _hidden(items, options, plan)
        pictures = stack.enter_context(Stage(drawn))
        with read.bar(source, "frames") as bar:
            for item in pictures:
                outputs.write(
                    item.frame, item.faces, item.picture, is_still=item.is_still
                )
                count += 1
                with_face += bool(item.faces)
                bar.set_postfix_str(f"{with_face} with a face", refresh=False)
                bar.update()
        if portraits is not None:
            outputs.write_portraits(portraits.finished())
        doubts = plan.doubts if plan is not None else ()
        outputs.finish(source.damage, doubts)
    seconds = time.monotonic() - started
    return AnnotateResult(count, with_face, seconds, source.damage, doubts)


@contextlib.contextmanager
def _refiner(read: Reading, tracker: FaceTracker) -> Iterator[Refine]:
    """Yields the function that refines the faces of the tracker.

    The landmarks are smoothed when they are refined, so the tracker must not do it.
    """
    smoothing = tracker.options.smoothing
    tracker.set_smoothing(False)
    try:
        yield lambda tracks: refine(
            tracks, read.selected, tracker.predictor, smoothing=smoothing
        )
    finally:
        tracker.set_smoothing(smoothing)


@contextlib.contextmanager
def _read_ahead(
    read: Reading, tracker: FaceTracker, shown: int | None
) -> Iterator[Iterable[FrameFaces]]:
    """Reads the video in threads of its own, and yields its refined faces.

    Args:
      read: Reads the video.
      tracker: Tracks the faces.
      shown: Number of faces per frame whose images are needed; None for all. The
        images of one face are kept, which is faster than to predict them again. Those
        of all faces would need too much memory.
    """
    with (
        _refiner(read, tracker) as refined,
        read.open() as source,
        Stage(read.frames(source)) as frames,
        Stage(followed(frames, tracker, kept=shown or 0), depth=BLOCK) as tracks,
        Stage(refined(tracks), depth=BLOCK) as result,
    ):
        try:
            yield result
        finally:
            tracks.stop()  # or else the last stage would wait for a whole block


def _planned(
    read: Reading, tracker: FaceTracker, finder: Finder | None, is_refined: bool
) -> tuple[list[FrameFaces], HidingPlan]:
    """Reads the whole video; returns its faces and what to hide."""
    if not is_refined:
        searched = first_pass(read, tracker, finder)
        return searched, plan_hiding(searched)
    with _refiner(read, tracker) as refined:
        searched = first_pass(read, tracker, finder)
        tracks = list(refined(searched))
    return tracks, plan_hiding(_with_first_faces(tracks, searched))


def _drawn(
    items: Iterable[Item],
    options: AnnotateOptions,
    source: Source,
    outputs: Outputs,
) -> Iterator[Item]:
    """Adds the picture of each frame whose picture is saved."""
    scale = options.scale or max(1.0, SMALLEST_HEIGHT / source.info.size[1])
    next_still = 0.0
    for item in items:
        is_still = outputs.has_stills and item.frame.timestamp >= next_still
        picture = None
        if outputs.has_video or is_still:
            picture = compose.annotated_frame(
                item.frame.image,
                item.faces,
                scale=scale,
                options=options.overlay,
                kinds=options.beside,
            )
        if is_still:
            next_still = item.frame.timestamp + options.stills_every
        yield dataclasses.replace(item, picture=picture, is_still=is_still)


def _check_can_hide(source: Source) -> None:
    if source.info.live:
        raise EthosError(
            f"{source.info.path}: faces can be hidden in files only; record the stream "
            "first"
        )


def _with_first_faces(
    tracks: Sequence[FrameFaces], searched: Sequence[FrameFaces]
) -> list[FrameFaces]:
    """Adds the faces before the refinement to the detections of the refined frames.

    A face that was removed is hidden all the same.
    """
    return [
        dataclasses.replace(
            frame,
            detections=(
                *frame.detections,
                *(Detection(face.box, face.score) for face in before.faces),
            ),
        )
        for frame, before in zip(tracks, searched, strict=True)
    ]


def _hidden(
    items: Iterable[Item], options: AnnotateOptions, plan: HidingPlan
) -> Iterator[Item]:
    """Adds the picture of each frame, with hidden faces."""
    assert options.hide_faces is not None
    for item in items:
        image = item.frame.image
        height, width = image.shape[:2]
        # A frame that the first pass did not read is hidden completely.
        everything = Cover(np.array([0.0, 0.0, width, height]), max(width, height))
        covers = plan.covers.get(item.frame.index, [everything])
        picture = hide(image, covers, options.hide_faces)
        if options.scale:
            picture = resized(picture, options.scale)
        yield dataclasses.replace(item, picture=picture)
